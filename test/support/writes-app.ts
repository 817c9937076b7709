import type { INestApplication } from '@nestjs/common';
import { getConnectionToken, getModelToken, MongooseModule } from '@nestjs/mongoose';
import { Test } from '@nestjs/testing';
import { Schema, Types, type Connection, type Model, type mongo } from 'mongoose';
import {
  SyncService,
  SyncModule,
  type LogChange,
  type PushResponse,
  type SyncIdentity,
  type SyncOptions,
} from 'nest-offline-sync';
import { OplogRepository } from '../../libs/sync/src/log/oplog';

/** An app's own document: it knows nothing of `_sync_*`. */
export interface Item {
  _id: Types.ObjectId;
  name: string;
  sku?: string;
  stock: number;
  state: string;
  createdAt: Date;
  updatedAt: Date;
}

function itemSchema(extend: (schema: Schema<Item>) => void): Schema<Item> {
  const schema = new Schema<Item>(
    {
      name: { type: String, required: true },
      sku: String,
      stock: { type: Number, default: 0, min: 0 },
      state: { type: String, default: 'new' },
    },
    { timestamps: true },
  );
  schema.index({ _sync_scope_id: 1, sku: 1 } as never, {
    unique: true,
    partialFilterExpression: { _sync_deleted: false, sku: { $exists: true } },
  });
  extend(schema);
  return schema;
}

export interface WritesApp {
  readonly app: INestApplication;
  readonly sync: SyncService;
  readonly connection: Connection;
  readonly items: Model<Item>;
  readonly oplog: OplogRepository;
  push(identity: SyncIdentity, changes: object[], clientId?: string): Promise<PushResponse>;
  close(): Promise<void>;
}

/**
 * An app with its own Mongoose writes in addition to the log: `notes` and `drafts` without a schema, with scoped and global
 * ids, and `items` with a model, ObjectIds, timestamps and a unique sku.
 */
export async function startWritesApp(
  uri: string,
  options: Partial<SyncOptions> = {},
  client: mongo.MongoClientOptions = {},
  extend: (schema: Schema<Item>) => void = () => undefined,
): Promise<WritesApp> {
  const testing = await Test.createTestingModule({
    imports: [
      MongooseModule.forRoot(uri, { ...client }),
      MongooseModule.forFeature([{ name: 'Item', schema: itemSchema(extend), collection: 'items' }]),
      SyncModule.forRoot({
        http: false,
        stream: false,
        trimIntervalMs: 0,
        jwt: { secret: 'a secret that is long enough for tests, is it not' },
        collections: [
          { name: 'notes', freeForm: true, ids: 'scoped' },
          { name: 'drafts', freeForm: true, ids: 'global' },
          { name: 'items', ids: 'global' },
        ],
        ...options,
      }),
    ],
  }).compile();
  const app = testing.createNestApplication({ logger: false });
  await app.init();
  const items = app.get<Model<Item>>(getModelToken('Item'));
  await items.init();
  const sync = app.get(SyncService);
  return {
    app,
    sync,
    items,
    connection: app.get<Connection>(getConnectionToken()),
    oplog: app.get(OplogRepository, { strict: false }),
    push: (identity, changes, clientId = 'device') => sync.push(identity, { client_id: clientId, changes }),
    close: () => app.close(),
  };
}

export function upsertOf(collection: string, docId: string, data: object): object {
  return { collection, operation: 'upsert', doc_id: docId, data };
}

/** Three items of the scope with a stock of 0, 1 and 2, as devices know them. */
export async function seededItems(
  { sync }: WritesApp,
  identity: SyncIdentity,
): Promise<[Types.ObjectId, Types.ObjectId, Types.ObjectId]> {
  const ids: [Types.ObjectId, Types.ObjectId, Types.ObjectId] = [
    new Types.ObjectId(),
    new Types.ObjectId(),
    new Types.ObjectId(),
  ];
  await sync.transaction(identity, async (tx) => {
    for (const [stock, id] of ids.entries())
      await tx.upsert('items', id, { name: `Tea ${String(stock)}`, stock });
  });
  return ids;
}

/** Lets other changes of the scope come first, until they have passed a version. */
export async function pass(running: WritesApp, identity: SyncIdentity, version: string): Promise<void> {
  let head = '';
  for (let n = 0; head <= version; n++) {
    await running.push(identity, [upsertOf('notes', `passing-${String(n)}`, {})]);
    head = (await running.oplog.readHead(identity.scopeId))?.version ?? '';
  }
}

/** All of a scope's log from a cursor on. */
export async function pullAll(
  { sync }: WritesApp,
  identity: SyncIdentity,
  since?: string,
): Promise<LogChange[]> {
  const changes: LogChange[] = [];
  for (let cursor = since; ;) {
    const page = await sync.pull(identity, { ...(cursor ? { since: cursor } : {}), limit: 1000 });
    if (!('changes' in page)) throw new Error('A full resync was required');
    changes.push(...page.changes);
    if (!page.has_more) return changes;
    cursor = page.last_seq;
  }
}

type State = Record<string, unknown>;

function fold(state: State, changes: readonly LogChange[]): State {
  for (const { collection, doc_id, operation, data } of changes) {
    const key = `${collection} ${String(doc_id)}`;
    if (operation === 'delete') state[key] = undefined;
    else state[key] = data;
  }
  return Object.fromEntries(Object.entries(state).filter(([, data]) => data !== undefined));
}

/** Invariant 6 as three states: the log, a full resync and the pull after it, and the business collections. */
export async function threeStates(
  running: WritesApp,
  identity: SyncIdentity,
): Promise<{ log: State; full: State; stored: State }> {
  const log = fold({}, await pullAll(running, identity));
  const page = await running.sync.full(identity, { limit: 0 });
  let text = '';
  for await (const chunk of page.lines) text += String(chunk);
  const full: State = {};
  for (const line of text.split('\n').filter((part) => part !== '')) {
    const { collection, doc_id, data, deleted } = JSON.parse(line) as LogChange & { deleted: boolean };
    if (!deleted) full[`${collection} ${String(doc_id)}`] = data;
  }
  const stored: State = {};
  for (const name of ['notes', 'drafts', 'items']) {
    const rows = running.oplog.db
      .collection<Record<string, unknown>>(name)
      .find({ _sync_scope_id: identity.scopeId, _sync_deleted: { $ne: true } });
    for await (const { _id, ...row } of rows) {
      const id = name === 'notes' ? (JSON.parse(String(_id)) as string[])[1] : String(_id);
      const fields = Object.entries(row).filter(([key]) => !key.startsWith('_sync_') && key !== '__v');
      stored[`${name} ${String(id)}`] = JSON.parse(JSON.stringify(Object.fromEntries(fields)));
    }
  }
  return { log, full: fold(full, await pullAll(running, identity, page.lastSeq)), stored };
}

/** Fails unless the log, a full resync and the collections agree; gives what they agree on. */
export async function agreedState(running: WritesApp, identity: SyncIdentity): Promise<State> {
  const { log, full, stored } = await threeStates(running, identity);
  expect(full).toEqual(log);
  expect(stored).toEqual(log);
  return log;
}

/** Fails unless versions rise with seq, and seq counts from 1 without a gap. */
export function expectOrder(changes: readonly LogChange[]): void {
  expect(changes.map(({ seq }) => seq)).toEqual(changes.map((_, index) => index + 1));
  for (const [index, { version }] of changes.entries()) {
    const before = changes[index - 1];
    if (before) expect(version > before.version).toBe(true);
  }
}
