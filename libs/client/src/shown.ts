import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import { readMeta } from './meta.ts';
import { shapeOf, type Shapes } from './rules/migration.ts';
import type { ViewRow } from './rules/mutation.ts';
import type { Stores } from './storage.ts';

/** What the user sees of documents, their edits over what the server said; in the order of the ids, null where there is nothing. */
export async function shownOf(
  { base, view }: Pick<Stores, 'base' | 'view'>,
  shapes: Shapes,
  collection: string,
  ids: readonly DocId[],
): Promise<readonly (JsonObject | null)[]> {
  const [rows, views] = await Promise.all([
    base.get(collection, ids),
    Promise.all(ids.map((id) => view.get(collection, id) as Promise<ViewRow | undefined>)),
  ]);
  return ids.map((_, index) => {
    const over = views[index];
    if (over) return over.data;
    const data = rows[index]?.data;
    return data ? shapeOf(shapes, collection, data) : null;
  });
}

/** The same of a whole collection, in no order, without keeping it. @returns whether that is all there is */
export async function walkShown(
  { base, view, meta }: Pick<Stores, 'base' | 'view' | 'meta'>,
  shapes: Shapes,
  collection: string,
  visit: (id: DocId, data: JsonObject) => void,
): Promise<boolean> {
  const [views, { isComplete }] = await Promise.all([view.scan(collection), readMeta(meta, 'position')]);
  const over = new Map(views as readonly (readonly [DocId, ViewRow])[]);
  await base.walk(collection, (rows) => {
    for (const { id, data } of rows) if (data && !over.has(id)) visit(id, shapeOf(shapes, collection, data));
  });
  for (const [id, { data }] of over) if (data) visit(id, data);
  return isComplete;
}
