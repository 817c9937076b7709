import { CLIENT } from '../client';
import type { RuleMutant } from '../mutant';
import { MUTATIONS } from './mutations';
import { PATCH } from './patch';
import { READS } from './reads';
import { SCOPES } from './scopes';
import { SOCKETS } from './sockets';
import { TOMBSTONES } from './tombstones';

/** Builds that each break one rule: the conformance check need not notice, but a test of the rule has to. */
export const RULES: readonly RuleMutant[] = [
  ...PATCH,
  ...MUTATIONS,
  ...SCOPES,
  ...SOCKETS,
  ...READS,
  ...TOMBSTONES,
];

/** @throws Error when there is none of this name */
export function ruleNamed(name: string | undefined): RuleMutant {
  const all = [...RULES, ...CLIENT];
  const mutant = all.find((candidate) => candidate.name === name);
  if (!mutant)
    throw new Error(`There is no mutant ${String(name)}. There are: ${all.map((m) => m.name).join(', ')}`);
  return mutant;
}
