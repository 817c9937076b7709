import type { Conflict, JsonObject, SyncCollectionOptions } from 'nest-offline-sync';
import { CONFLICT_COLLECTIONS, OPEN } from '../../support/conflict-collections';

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
    ...CONFLICT_COLLECTIONS,
    { name: 'unique', ...OPEN },
    { name: 'shared', freeForm: true, ids: 'global' },
    { name: 'custom', ...OPEN, resolver: both },
    {
      name: 'moving',
      ...OPEN,
      resolver: async (conflict) => {
        await moved(conflict.identity.scopeId, conflict.currentVersion);
        return both(conflict);
      },
    },
  ];
}
