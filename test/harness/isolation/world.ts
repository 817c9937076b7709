import { randomBytes } from 'node:crypto';
import { mongo, Schema } from 'mongoose';
import type { Conflict, JsonObject, PushResult, SyncCollectionOptions } from 'nest-offline-sync';
import { KEY_ID, type KeyRecord } from '../../../libs/sync/src/identity/fingerprints';
import { FixedWallClock } from '../../../libs/sync/src/testing';
import {
  databaseHash,
  remove,
  startHttpApp,
  upsert,
  type Device,
  type HttpApp,
} from '../../support/http-app';

/** Collections whose ids all tenants share: that an id is taken may be learnt. */
export const GLOBAL = ['shared', 'stale', 'merged', 'settled', 'typed'] as const;
/** Collections in which each tenant has its own ids: not even that. */
export const SCOPED = ['notes', 'forced', 'drafts'] as const;
export const COLLECTIONS = [...GLOBAL, ...SCOPED] as const;

const START = Date.UTC(2026, 0, 1);

/** Everything about tenant A that is drawn at random. */
export interface Secrets {
  readonly scope: string;
  readonly actor: string;
  readonly client: string;
  readonly ids: readonly string[];
  readonly mutations: readonly string[];
  /** Values and names of fields, and A's versions: no request of B's ever holds one of the first two. */
  readonly fields: string[];
  readonly versions: string[];
}

export function drawSecrets(): Secrets {
  const text = (kind: string): string => `${kind}${randomBytes(9).toString('hex')}`;
  const several = (kind: string, count: number): string[] => Array.from({ length: count }, () => text(kind));
  return {
    scope: text('scope-'),
    actor: text('actor-'),
    client: text('client-'),
    ids: [...several('id-', 3), 'live', 'gone'],
    // One for each change of the seed.
    mutations: several('m-', 64),
    fields: [],
    versions: [],
  };
}

/** What must never reach B unless B has said it first. */
export function hiddenTexts({ scope, actor, client, ids, mutations, fields, versions }: Secrets): string[] {
  return [scope, actor, client, ...ids.slice(0, 3), ...mutations, ...fields, ...versions];
}

/** An app on its own database, with or without tenant A. Its clock does not move between the steps of a test. */
export interface World {
  readonly app: HttpApp;
  readonly port: number;
  readonly clock: FixedWallClock;
  /** Undefined in the world without A. */
  readonly alice: Device | undefined;
  /** What resolvers were shown. */
  readonly conflicts: readonly Conflict[];
  /** Page tokens that A was given. */
  readonly pages: readonly string[];
  /** Changes that A has pushed, with their mutation ids: to be sent again, which changes nothing. */
  readonly pushed: readonly object[];
  /** A hash over everything that belongs to A: documents, log, receipts, head. */
  hashOfAlice(): Promise<string>;
}

const typed = new Schema(
  { _id: String, name: String, count: Number, when: Date, price: Schema.Types.Decimal128, tags: [String] },
  { versionKey: false },
);

/**
 * @param secrets tenant A's. In the world without A, documents that belong to nobody take its ids in the global
 *   collections: nothing but that can tell the two worlds apart
 */
export async function startWorld(uri: string, secrets: Secrets, withAlice: boolean): Promise<World> {
  const conflicts: Conflict[] = [];
  const resolver = (conflict: Conflict): JsonObject | null => {
    conflicts.push(conflict);
    return conflict.change.data;
  };
  const collection = (
    name: string,
    ids: 'global' | 'scoped',
    more: Partial<SyncCollectionOptions> = {},
  ): SyncCollectionOptions => ({ name, freeForm: true, ids, ...more });
  const clock = new FixedWallClock(START);
  await plantKey(uri);
  const app = await startHttpApp(uri, {
    stream: true,
    clock,
    models: [{ name: 'Typed', schema: typed, collection: 'typed' }],
    options: {
      collections: [
        collection('shared', 'global'),
        collection('stale', 'global', { conflict: 'reject-stale' }),
        collection('merged', 'global', { conflict: 'merge' }),
        collection('settled', 'global', { resolver }),
        { name: 'typed', ids: 'global' },
        collection('notes', 'scoped'),
        collection('forced', 'scoped', { conflict: 'client-wins', deleteUpdatePolicy: 'delete_wins' }),
        collection('drafts', 'scoped', { conflict: 'merge', deleteUpdatePolicy: 'reject_update' }),
      ],
      hlcNodeId: 'n1',
      // Enough that pushes of both tenants meet in one transaction.
      lanes: 1,
      // The shortest that leaves a loaded machine time to answer a ping.
      pingIntervalMs: 400,
      limits: { maxSocketMessageBytes: 65_536, maxPushBytes: 262_144, maxDocumentBytes: 65_536 },
    },
  });
  const alice = withAlice ? app.as(secrets.scope, secrets.actor, secrets.client) : undefined;
  const { pages, pushed } = alice ? await seedAlice(alice, secrets) : { pages: [], pushed: [] };
  if (!alice)
    for (const name of GLOBAL)
      await app.db
        .collection<{ _id: string }>(name)
        .insertMany(secrets.ids.map((_id) => ({ _id, name: 'nobody' })));
  clock.advance(60_000);
  return {
    app,
    port: Number(new URL(app.url).port),
    clock,
    alice,
    conflicts,
    pages,
    pushed,
    hashOfAlice: () =>
      databaseHash(app.db, {
        $or: [
          { _sync_scope_id: secrets.scope },
          { scope: secrets.scope },
          // Its head: a document of B may have A's scope for its id.
          { _id: secrets.scope, _sync_scope_id: { $exists: false } },
          { '_id.scope': secrets.scope },
        ],
      }),
  };
}

/** The same key of fingerprints in both worlds: B is to have the same one in both. */
async function plantKey(uri: string): Promise<void> {
  const client = await mongo.MongoClient.connect(uri);
  await client
    .db()
    .collection<KeyRecord>('sync_leases')
    .insertOne({ _id: KEY_ID, key: 'a key of these worlds' });
  await client.close();
}

/** Documents, tombstones, receipts, resolved and rejected conflicts in every collection. */
async function seedAlice(alice: Device, secrets: Secrets): Promise<{ pages: string[]; pushed: object[] }> {
  const pushed: object[] = [];
  let mutation = 0;
  const mutationId = (): { mutation_id: string | undefined } => ({
    mutation_id: secrets.mutations[mutation++],
  });
  const known = (results: readonly PushResult[]): void => {
    for (const { new_version } of results) if (new_version) secrets.versions.push(new_version);
  };
  for (const name of COLLECTIONS) {
    const changes = secrets.ids.map((id) => upsert(name, id, dataOf(name, secrets), mutationId()));
    const first = await alice.push(changes);
    pushed.push(...changes);
    const parent_version = first[0]!.new_version;
    known(first);
    known(
      await alice.push([
        upsert(name, secrets.ids[0], dataOf(name, secrets), mutationId()),
        remove(name, 'gone'),
      ]),
    );
    // Stale now: rejected, merged or resolved, by the collection's strategy.
    known(
      await alice.push(
        [upsert(name, secrets.ids[0], dataOf(name, secrets), { parent_version, ...mutationId() })],
        { atomic: 'mutation' },
      ),
    );
  }
  const pages: string[] = [];
  for (const query of ['limit=1', 'limit=7', 'limit=2&collections=notes']) {
    const { headers } = await alice.send(`/sync/full?${query}`);
    pages.push(headers.get('x-sync-cursor') ?? '');
  }
  return { pages, pushed };
}

/** A document of A's, every field of it a secret. */
export function dataOf(collection: string, { fields }: Secrets): JsonObject {
  const text = randomBytes(9).toString('hex');
  const name = `f${randomBytes(9).toString('hex')}`;
  fields.push(text);
  if (collection === 'typed') return { name: text, count: fields.length, tags: [text] };
  fields.push(name);
  return { title: text, [name]: { deep: [text] } };
}
