import type { mongo } from 'mongoose';

/** Where a variant keeps log and documents. */
export interface Layout {
  readonly log: string;
  readonly logScope: string;
  readonly documents: string;
}

export const OURS: Layout = { log: 'sync_oplog', logScope: 'scope', documents: 'notes' };
export const ORIGINAL: Layout = { log: 'sync_oplog', logScope: 'scope_id', documents: 'notes' };

/** Entries and documents of these scopes, counted in the database itself. */
export async function storedCounts(
  db: mongo.Db,
  { log, logScope, documents }: Layout,
  scopes: readonly string[],
): Promise<{ entries: number; documents: number }> {
  const asked = { $in: [...new Set(scopes)] };
  const readConcern = { level: 'majority' } as const;
  return {
    entries: await db.collection(log).countDocuments({ [logScope]: asked }, { readConcern }),
    documents: await db.collection(documents).countDocuments({ _sync_scope_id: asked }, { readConcern }),
  };
}

/** @throws Error when the database does not hold exactly what was answered */
export async function checkStored(
  db: mongo.Db,
  layout: Layout,
  scopes: readonly string[],
  accepted: number,
): Promise<void> {
  const { entries, documents } = await storedCounts(db, layout, scopes);
  if (entries !== accepted || documents !== accepted)
    throw new Error(
      `${String(accepted)} changes were answered as accepted, but there are ${String(entries)} entries and ` +
        `${String(documents)} documents in ${db.databaseName}`,
    );
}
