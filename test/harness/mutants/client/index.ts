import { APART } from './apart';
import { KEPT } from './kept';
import type { ClientMutant } from './mutant';
import { RULES } from './rules';

/** Builds of the client that each break an invariant or a rule: a test of it has to fail. */
export const CLIENT: readonly ClientMutant[] = [...KEPT, ...APART, ...RULES];
