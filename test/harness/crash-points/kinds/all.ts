import type { Kind } from '../case';
import { BATCHES } from './batches';
import { CONFLICTS } from './conflicts';
import { GROUPS } from './groups';
import { MUTATION_IDS } from './mutation-ids';
import { PATCHES } from './patches';
import { RECORDED_CHANGES } from './recorded-changes';
import { SINGLE_CHANGES } from './single-changes';
import { TRANSACTIONS } from './transactions';

const PUSHES = [...SINGLE_CHANGES, ...CONFLICTS, ...PATCHES, ...MUTATION_IDS, ...BATCHES, ...GROUPS];
const WRITES = [...TRANSACTIONS, ...RECORDED_CHANGES];

/** Every kind of request that writes. */
export const KINDS: readonly Kind[] = [...PUSHES, ...WRITES.map((kind) => ({ ...kind, unidentified: true }))];
