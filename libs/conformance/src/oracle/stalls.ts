import type { StreamEvent } from '../history';
import type { FindingBuilder } from './finding-builder';
import type { HistoryIndex } from './history-index';
import { nameOf } from './gaps';
import { wasSeen, type ScopeIndex } from './scope-index';
import { evidenceOf } from './sendings';

/** What was acknowledged this long before the stalled reader continued must have reached the others by then. */
export const STALL_GRACE_MS = 3_000;

interface Stall {
  readonly reader: string;
  readonly from: number;
  readonly to: number;
  readonly event: StreamEvent;
}

/** While one reader reads nothing, the others of both tenants still get what is acknowledged. */
export function judgeStalls(index: HistoryIndex, found: FindingBuilder): void {
  const stalls = index.scopes.flatMap((scope) => [...scope.streams.values()].flatMap(stallsOf));
  if (stalls.length === 0) {
    found.unchecked('No reader stalled: whether a slow one costs the others is not judged.');
    return;
  }
  if (index.history.disturbed === true) {
    found.unchecked('The run was disturbed: how soon readers got entries during a stall is not judged.');
    return;
  }
  for (const scope of index.scopes) {
    for (const [reader, events] of scope.streams) {
      const others = stalls.filter((stall) => stall.reader !== reader);
      if (others.length > 0) new Listener(scope, reader, events, found).during(others);
    }
  }
}

function stallsOf(events: readonly StreamEvent[]): Stall[] {
  const stalls: Stall[] = [];
  let began: StreamEvent | null = null;
  for (const event of events) {
    if (event.what.is === 'stalled') began = event;
    else if (began !== null && (event.what.is === 'resumed' || event.what.is === 'closed')) {
      stalls.push({ reader: event.reader, from: began.at, to: event.at, event: began });
      began = null;
    }
  }
  return stalls;
}

class Listener {
  readonly #gotAt = new Map<string, number>();
  readonly #interruptions: readonly number[];

  constructor(
    private readonly scope: ScopeIndex,
    private readonly reader: string,
    private readonly events: readonly StreamEvent[],
    private readonly found: FindingBuilder,
  ) {
    const interruptions: number[] = [];
    for (const { what, at } of events) {
      if (what.is === 'entry') this.#gotAt.set(what.entry.version, at);
      else if (what.is !== 'ping') interruptions.push(at);
    }
    this.#interruptions = interruptions;
  }

  during(stalls: readonly Stall[]): void {
    const listening = stalls.filter((stall) => this.#listenedThrough(stall));
    if (listening.length === 0) return;
    const asked = this.#asked();
    for (const entry of this.scope.known.values()) {
      const { ack } = entry;
      if (ack === null || (asked !== null && !asked.includes(entry.collection)) || !wasSeen(entry)) continue;
      const at = ack.push.answeredAt;
      const stall = listening.find(({ from, to }) => at >= from && at <= to - STALL_GRACE_MS);
      if (stall === undefined) continue;
      this.found.checked();
      const gotAt = this.#gotAt.get(entry.version);
      if (gotAt !== undefined && gotAt <= stall.to) continue;
      this.found.violated(
        () =>
          `While ${stall.reader} took no bytes, ${this.reader} (${this.scope.name}) was not given ${nameOf(entry)}, ` +
          `acknowledged ${Math.round(stall.to - at)} ms before the stall ended.`,
        () => [stall.event, ...evidenceOf(ack)],
      );
    }
  }

  #listenedThrough({ from, to }: Stall): boolean {
    const [first] = this.events;
    return first !== undefined && first.at <= from && this.#interruptions.every((at) => at < from || at > to);
  }

  #asked(): readonly string[] | null {
    const [first] = this.events;
    return first?.what.is === 'subscribed' ? first.what.collections : null;
  }
}
