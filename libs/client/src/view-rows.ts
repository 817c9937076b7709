import type { DocId } from 'nest-offline-sync-protocol';
import type { ViewRow } from './rules/mutation.ts';
import type { Stores } from './storage.ts';

/** Few documents have edits on them: where many are asked about, one request that gives all of those is cheaper. */
export async function viewsOf(
  view: Stores['view'],
  collection: string,
  ids: readonly DocId[],
): Promise<(ViewRow | undefined)[]> {
  const all = ids.length < MANY ? undefined : await view.scan(collection, { limit: MANY });
  if (!all || all.length === MANY)
    return Promise.all(ids.map((id) => view.get(collection, id) as Promise<ViewRow | undefined>));
  const rows = new Map(all as readonly (readonly [DocId, ViewRow])[]);
  return ids.map((id) => rows.get(id));
}

const MANY = 50;
