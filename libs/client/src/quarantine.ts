import type { PushResult } from 'nest-offline-sync-protocol';
import { falling, refusedEntry } from './rules/disposition.ts';
import type { Mutation } from './rules/mutation.ts';
import type { Unit } from './rules/push-plan.ts';
import type { Work } from './work.ts';

/** R5: puts what is refused, and all that stands on it, into one entry of the quarantine. */
export type Refusal = Pick<PushResult, 'code' | 'error' | 'server_document'>;

export async function quarantine(
  work: Work,
  refused: Unit,
  results: readonly Refusal[],
  now: number,
): Promise<Mutation[]> {
  const fallen = falling(refused, await work.outbox());
  const answers = new Map(
    refused.map((each, index) => [each.seq, results[index] ?? { code: null, error: null }]),
  );
  for (const each of fallen) await work.drop(each);
  await work.refuse(refusedEntry(fallen, answers, now));
  return fallen;
}
