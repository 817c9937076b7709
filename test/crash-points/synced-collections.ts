import type { Conflict, JsonObject, SyncCollectionOptions } from 'nest-offline-sync';

const open = { freeForm: true, ids: 'scoped' } as const;
const both = ({ current, change }: Conflict): JsonObject => ({ ...current, ...change.data, settled: true });

/**
 * The collections of all processes, one for each way to settle a conflict.
 *
 * @param moved called by the resolver of `moving`, before it answers
 */
export function syncedCollections(
  moved: (scopeId: string, current: string) => Promise<void>,
): SyncCollectionOptions[] {
  return [
    { name: 'last', ...open },
    { name: 'stale', ...open, conflict: 'reject-stale' },
    { name: 'client', ...open, conflict: 'client-wins' },
    { name: 'merge', ...open, conflict: 'merge' },
    { name: 'rejecting', ...open, deleteUpdatePolicy: 'reject_update' },
    { name: 'deleting', ...open, deleteUpdatePolicy: 'delete_wins' },
    { name: 'unique', ...open },
    { name: 'shared', freeForm: true, ids: 'global' },
    { name: 'custom', ...open, resolver: both },
    {
      name: 'moving',
      ...open,
      resolver: async (conflict) => {
        await moved(conflict.identity.scopeId, conflict.currentVersion);
        return both(conflict);
      },
    },
  ];
}
