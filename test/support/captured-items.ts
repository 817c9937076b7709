import { Schema, Types, type mongo } from 'mongoose';
import type { LogChange, SyncIdentity, SyncOptions } from 'nest-offline-sync';
import { until } from './until';
import { agreedState, pullAll, startWritesApp, threeStates, type WritesApp } from './writes-app';

/** An item as code writes it that knows nothing of sync. */
export type ItemRow = Record<string, unknown> & { _id: Types.ObjectId; stock?: number };

const CAPTURED: Partial<SyncOptions> = {
  collections: [
    { name: 'notes', freeForm: true, ids: 'scoped' },
    { name: 'drafts', freeForm: true, ids: 'global' },
    { name: 'items', ids: 'global', capture: true, scopeField: 'shop' },
  ],
};

/** An app that captures `items`, with `shop` as the scope. */
export function startCapturing(
  uri: string,
  options: Partial<SyncOptions> = {},
  client: mongo.MongoClientOptions = {},
): Promise<WritesApp> {
  return startWritesApp(uri, { ...CAPTURED, ...options }, client, (schema) => {
    schema.add({ shop: Schema.Types.Mixed } as never);
  });
}

export function rowsOf({ oplog }: WritesApp): mongo.Collection<ItemRow> {
  return oplog.db.collection<ItemRow>('items');
}

export function plainItem(n: number, shop: unknown = 'north', more: object = {}): ItemRow {
  return { _id: new Types.ObjectId(), name: `item ${String(n)}`, stock: n, state: 'new', shop, ...more };
}

/** What the processes keep of capture: the position, and who has the lease. */
export function captureRecords({
  oplog,
}: WritesApp): mongo.Collection<{ _id: string; token?: object; compared?: string[] }> {
  return oplog.db.collection('sync_leases');
}

/** Waits until some process follows the stream, and has compared what it captures. */
export async function following(app: WritesApp, collection = 'items'): Promise<void> {
  const position = { _id: 'capture:position', token: { $exists: true }, compared: collection };
  await until(async () => (await captureRecords(app).countDocuments(position)) === 1);
}

export const identityIn = (scopeId: string): SyncIdentity => ({ scopeId, actorId: 'ann' });

/** Waits until log, full resync and collection say the same of some scopes. */
export async function settled(app: WritesApp, ...scopes: string[]): Promise<void> {
  await until(async () => {
    for (const scope of scopes) {
      const { log, full, stored } = await threeStates(app, identityIn(scope));
      const [told, loaded, there] = [log, full, stored].map(sorted);
      if (told !== there || told !== loaded) return false;
    }
    const unscoped = { _sync_scope_id: null, shop: { $type: 'string' } } as never;
    return (await rowsOf(app).countDocuments(unscoped)) === 0;
  });
  for (const scope of scopes) await agreedState(app, identityIn(scope));
}

/** The log's entries of a scope's items. */
export async function itemsIn(app: WritesApp, scope: string): Promise<LogChange[]> {
  return (await pullAll(app, identityIn(scope))).filter(({ collection }) => collection === 'items');
}

/** Entries that say the same as the one before of their document: something was recorded twice. */
export function doubled(entries: readonly LogChange[]): LogChange[] {
  const last = new Map<unknown, string>();
  return entries.filter(({ doc_id, operation, data }) => {
    const text = `${operation} ${sorted(data ?? {})}`;
    const isSame = last.get(doc_id) === text;
    last.set(doc_id, text);
    return isSame;
  });
}

function sorted(value: object): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
