import { falling, givenUp, refusedEntry, type Told } from './rules/disposition.ts';
import type { Mutation } from './rules/mutation.ts';
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
  await work.refuse(refusedEntry(fallen, answers, now));
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
