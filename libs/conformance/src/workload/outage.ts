import type { History } from '../history';

export interface Outage {
  readonly client: string;
  /** Milliseconds without an answer of 200. */
  readonly ms: number;
  /** When it began, milliseconds since the run began. */
  readonly from: number;
}

/**
 * The longest time that each writer of the tenant under test was without an answer of 200 to a push, the longest
 * first: between two such answers, and from the last one to the end of its last try.
 */
export function outagesOf(history: History): Outage[] {
  const last = new Map<string, number>();
  const longest = new Map<string, Outage>();
  for (const event of history.events) {
    if (event.kind !== 'push' || event.tenant !== 'main') continue;
    const { client, answeredAt } = event;
    const from = last.get(client);
    if (event.answer?.status === 200) last.set(client, Math.max(from ?? 0, answeredAt));
    if (from === undefined) continue;
    const ms = answeredAt - from;
    if (ms > (longest.get(client)?.ms ?? -1)) longest.set(client, { client, ms, from });
  }
  return [...longest.values()].sort((a, b) => b.ms - a.ms);
}
