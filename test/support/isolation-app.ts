import { randomBytes } from 'node:crypto';
import { Schema } from 'mongoose';
import type { Conflict, JsonObject } from 'nest-offline-sync';
import { testDatabase } from './database';
import { databaseHash, remove, startHttpApp, upsert, type Device, type HttpApp } from './http-app';

/** Collections with global ids, one for each way in which a conflict is judged. */
export const GLOBAL = ['shared', 'forced', 'stale', 'merged', 'settled', 'deleting'] as const;

export interface TwoTenants {
  readonly app: HttpApp;
  /** Has the documents `live` and `gone` (deleted) in every collection. */
  readonly alice: Device;
  readonly bob: Device;
  /** What no byte for Bob, no log and no metric may hold: random texts of Alice's data, her scope and her name. */
  readonly secrets: readonly string[];
  /** What resolvers were shown. */
  readonly conflicts: readonly Conflict[];
  secret(): string;
  /** Alice has written: what her data looks like now is what it has to stay. */
  settle(): Promise<void>;
}

const emails = new Schema({ _id: String, email: String, serial: String }, { versionKey: false });
emails.index(
  { _sync_scope_id: 1, email: 1 },
  { unique: true, partialFilterExpression: { _sync_deleted: false } },
);
// A mistake of the app's that start-up warns of: it spans scopes, and must still reveal nothing.
emails.index({ serial: 1 }, { unique: true, sparse: true });

/** Two tenants on one app. After each test: Alice's data is unchanged, and nothing of it came out anywhere. */
export function useTwoTenants(fileName: string): () => TwoTenants {
  let made: TwoTenants | undefined;
  let hash: string;
  const secrets: string[] = [];
  const secret = (): string => {
    const text = randomBytes(12).toString('hex');
    secrets.push(text);
    return text;
  };
  const tenants = (): TwoTenants => {
    if (!made) throw new Error('beforeAll has not run');
    return made;
  };
  const hashOf = ({ app, alice: { scope } }: TwoTenants): Promise<string> =>
    databaseHash(app.db, {
      $or: [{ _sync_scope_id: scope }, { scope }, { _id: scope }, { '_id.scope': scope }],
    });

  beforeAll(async () => {
    const conflicts: Conflict[] = [];
    const resolver = (conflict: Conflict): JsonObject | null => {
      conflicts.push(conflict);
      return conflict.change.data;
    };
    const global = { freeForm: true, ids: 'global' } as const;
    const app = await startHttpApp(testDatabase(fileName).uri, {
      stream: true,
      models: [{ name: 'Account', schema: emails }],
      options: {
        // Enough that pushes of both tenants meet in one transaction.
        lanes: 1,
        collections: [
          { name: 'shared', ...global },
          { name: 'forced', ...global, conflict: 'client-wins' },
          { name: 'stale', ...global, conflict: 'reject-stale' },
          { name: 'merged', ...global, conflict: 'merge' },
          { name: 'settled', ...global, resolver },
          { name: 'deleting', ...global, deleteUpdatePolicy: 'delete_wins' },
          { name: 'notes', freeForm: true, ids: 'scoped' },
          'accounts',
        ],
      },
    });
    const alice = app.as(`scope-${secret()}`, `actor-${secret()}`);
    const bob = app.as('b', 'bob');
    for (const name of [...GLOBAL, 'notes'])
      await alice.push([
        upsert(name, 'live', { title: secret() }),
        upsert(name, 'gone', { title: secret() }),
        remove(name, 'gone'),
      ]);
    const settle = async (): Promise<void> => {
      hash = await hashOf(tenants());
    };
    made = { app, alice, bob, secrets, conflicts, secret, settle };
    await settle();
  });

  afterEach(async () => {
    const { app, bob } = tenants();
    expect(await hashOf(tenants())).toBe(hash);
    const seen = [...bob.received, ...app.logs, await app.registry.metrics()].join('\n');
    expect(secrets.filter((text) => seen.includes(text))).toEqual([]);
  });
  afterAll(() => made?.app.close());
  return tenants;
}
