import { falling, givenUp, refusedEntry, type Told } from './rules/disposition.ts';
import type { Mutation, RefusedChange } from './rules/mutation.ts';
import type { Unit } from './rules/push-plan.ts';
import type { Work } from './work.ts';

/** R5: puts what is refused, and all that stands on it, into one entry of the quarantine. */
export async function quarantine(
  work: Work,
  refused: Unit,
  results: readonly Told[],
  now: number,
): Promise<Mutation[]> {
  const fallen = falling(refused, await work.outbox());
  const answers = new Map(
    refused.map((each, index) => [each.seq, results[index] ?? { code: null, error: null }]),
  );
  for (const each of fallen) await work.drop(each);
  const entry = refusedEntry(fallen, answers, now);
  const changes: RefusedChange[] = [];
  for (const each of entry.changes) {
    // Where the answer did not tell: of what stood on the refused one, say.
    const { nextBase: known } = await work.document(each.collection, each.id);
    const isTold = each.theirs !== undefined || !known?.version || known.local;
    changes.push(isTold ? each : { ...each, theirs: known.data });
  }
  await work.refuse({ ...entry, changes });
  return fallen;
}

/** Into quarantine with what cannot be sent any more. */
export async function giveUp(
  work: Work,
  mutations: readonly Mutation[],
  why: { readonly code: string; readonly message: string } | undefined,
  now: number,
): Promise<void> {
  for (const each of mutations) await work.drop(each);
  const told = new Map(mutations.map((each) => [each.seq, givenUp(each, why)]));
  await work.refuse(refusedEntry(mutations, told, now));
}
