import type { SyncCollectionOptions } from 'nest-offline-sync';

/** A collection without a schema whose ids are each scope's own. */
export const OPEN = { freeForm: true, ids: 'scoped' } as const;

/** One collection for each way to settle a conflict without code of the app. */
export const CONFLICT_COLLECTIONS: readonly SyncCollectionOptions[] = [
  { name: 'last', ...OPEN },
  { name: 'stale', ...OPEN, conflict: 'reject-stale' },
  { name: 'client', ...OPEN, conflict: 'client-wins' },
  { name: 'merge', ...OPEN, conflict: 'merge' },
  { name: 'rejecting', ...OPEN, deleteUpdatePolicy: 'reject_update' },
  { name: 'deleting', ...OPEN, deleteUpdatePolicy: 'delete_wins' },
];
