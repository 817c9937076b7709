import type { Mutant } from '../mutant';
import { APP_WRITES } from './app-writes';
import { BOUNDS } from './bounds';
import { ISOLATION } from './isolation';
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
];

/** @throws Error when there is none of this name */
export function mutantNamed(name: string): Mutant {
  const mutant = MUTANTS.find((candidate) => candidate.name === name);
  if (!mutant)
    throw new Error(`There is no mutant ${name}. There are: ${MUTANTS.map((m) => m.name).join(', ')}`);
  return mutant;
}
