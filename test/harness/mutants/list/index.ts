import type { Mutant } from '../mutant';
import { APP_WRITES } from './app-writes';
import { BOUNDS } from './bounds';
import { ISOLATION } from './isolation';
import { NEWER_WIRE } from './newer-wire';
import { ORDER } from './order';
import { CONVERGENCE, READERS } from './readers';
import { RECEIPTS } from './receipts';
import { RETENTION } from './retention';
import { TRANSACTIONS } from './transactions';

export const MUTANTS: readonly Mutant[] = [
  ...TRANSACTIONS,
  ...ORDER,
  ...READERS,
  ...RECEIPTS,
  ...ISOLATION,
  ...CONVERGENCE,
  ...RETENTION,
  ...BOUNDS,
  ...APP_WRITES,
  ...NEWER_WIRE,
];

/** Those that are tried with every change of the code: the most likely mistakes, and at least one for each invariant. */
export const SHORT_SET: readonly Mutant[] = [
  'answers-before-commit',
  'batch-ignored',
  'order-outside-transaction',
  'head-update-changes-nothing',
  'head-cached-over-attempts',
  'gap-before-live',
  'no-receipts',
  'pull-without-scope',
  'stream-without-scope',
  'document-not-written',
  'entries-expire-without-floor',
  'clock-drift-unchecked',
  'limit-unchecked',
  'one-bad-change-fails-all',
  'app-write-without-entry',
].map(mutantNamed);

/** @throws Error when there is none of this name */
export function mutantNamed(name: string): Mutant {
  const mutant = MUTANTS.find((candidate) => candidate.name === name);
  if (!mutant)
    throw new Error(`There is no mutant ${name}. There are: ${MUTANTS.map((m) => m.name).join(', ')}`);
  return mutant;
}
