import { Schema, Types, type mongo } from 'mongoose';
import { SyncAdminService, type AdoptReport, type SyncIdentity } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { until } from '../../support/until';
import { agreedState, pullAll, startWritesApp, type WritesApp } from '../../support/writes-app';

type Row = mongo.Document;
type Step = () => unknown;

const north: SyncIdentity = { scopeId: 'north', actorId: 'ann' };

describe('adopting what cannot be adopted, or changes meanwhile', () => {
  const database = testDatabase(__filename);
  let app: WritesApp;

  const start = async (isCapturing = true): Promise<void> => {
    const capture = isCapturing ? { capture: true, scopeField: 'shop' } : {};
    app = await startWritesApp(
      database.uri,
      {
        collections: [
          { name: 'notes', freeForm: true, ids: 'scoped' },
          { name: 'drafts', freeForm: true, ids: 'global' },
          { name: 'items', ids: 'global' },
          { name: 'captured', freeForm: true, ids: 'global', ...capture },
        ],
      },
      {},
      (schema) => {
        schema.add({ shop: Schema.Types.Mixed, region: String } as never);
      },
    );
  };
  beforeEach(() => start());
  afterEach(async () => {
    await app.close();
    await database.drop();
  });

  const rows = (name = 'items'): mongo.Collection => app.oplog.db.collection(name);
  const plain = (more: object = {}): Row => ({
    _id: new Types.ObjectId(),
    name: 'i',
    shop: 'north',
    ...more,
  });
  const many = (count: number, more: object = {}): Row[] => Array.from({ length: count }, () => plain(more));
  /** @param steps done once each, after the batches of the run */
  const adopt = (more: object = {}, ...steps: Step[]): Promise<AdoptReport> => {
    let before: Promise<unknown> = Promise.resolve();
    return app.app.get(SyncAdminService).adopt({
      ...{ collection: 'items', scopeField: 'shop', ...more },
      onProgress: () => {
        const step = steps.shift();
        if (step) before = before.then(step);
      },
    });
  };
  const refusedBy = ({ refused }: AdoptReport): unknown[] =>
    refused.map(({ code, count, examples }) => [code, count, examples.length]);

  it.each([true, false])(
    'names ids that are one for devices, and adopts one of them (log: %s)',
    async (log) => {
      const id = new Types.ObjectId();
      const odd: unknown[] = [id, { a: 1 }, new Date(0), 1.5, 'x'.repeat(300)];
      await rows('drafts').insertMany([id.toHexString(), '{"a":1}', ...odd].map((_id) => plain({ _id })));
      const report = await adopt({ collection: 'drafts', log });
      expect(report.adopted).toBe(2);
      expect(refusedBy(report)).toEqual([['invalid_doc_id', 5, 5]]);
      for (const _id of odd)
        expect(await rows('drafts').findOne({ _id: _id as never })).not.toHaveProperty('_sync_version');
    },
  );

  it.each([true, false])(
    'refuses what is too large for MongoDB or for an entry, and the rest goes on (log: %s)',
    async (log) => {
      const large = [
        plain({ _id: 'm1', notes: 'x'.repeat((16 << 20) - 200) }),
        // As JSON, in an entry, twice as long.
        plain({ _id: 'm2', notes: '"'.repeat(9 << 20) }),
      ];
      const small = ['a', 'b', 'c', 'x', 'y', 'z'].map((_id) => plain({ _id }));
      await rows('drafts').insertMany([...small, ...large]);
      const report = await adopt({ collection: 'drafts', log });
      const once = ['document_too_large', 1, 1];
      expect(refusedBy(report)).toEqual(log ? [once, once] : [once]);
      expect(report.adopted).toBe(log ? 6 : 7);
      expect(await rows('drafts').findOne({ _id: large[0]?._id })).toEqual(large[0]);
      expect(await adopt({ collection: 'drafts', log })).toMatchObject({ adopted: 0 });
    },
  );

  it.each([true, false])(
    'takes each document into the scope that it names when it is taken (log: %s)',
    async (log) => {
      await rows().insertMany(many(4000));
      const report = await adopt({ log }, () =>
        rows().updateMany({ _sync_scope_id: null }, { $set: { shop: 'south' } }),
      );
      expect(report).toMatchObject({ adopted: 4000, refused: [] });
      expect(await rows().countDocuments({ _sync_scope_id: null })).toBe(0);
      for await (const row of rows().find()) expect(row['_sync_scope_id']).toBe(row['shop']);
      expect(await rows().countDocuments({ shop: 'south' })).toBeGreaterThan(0);
    },
  );

  it.each([
    ['goes on', true],
    ['has lost its position', false],
  ])(
    'a document that was moved and replaced, and adopted before capture has seen it, leaves its old scopes (capture %s)',
    async (_, hasPosition) => {
      const leases = (): mongo.Collection<{ _id: string }> => app.oplog.db.collection('sync_leases');
      const entriesOf = async (scopeId: string): Promise<string[]> =>
        (await pullAll(app, { scopeId, actorId: 'ann' })).map(
          ({ doc_id, operation }) => `${String(doc_id)} ${operation}`,
        );
      const isFollowed = { _id: 'capture:position', token: { $exists: true }, compared: 'captured' };
      await until(async () => (await leases().countDocuments(isFollowed)) === 1);
      const ids = ['once', 'twice'];
      await rows('captured').insertMany(ids.map((_id) => plain({ _id })));
      await until(async () => (await entriesOf('north')).length === 2);
      await app.close();

      await start(false);
      const replace = async (_id: string, shop: string): Promise<void> => {
        await rows('captured').replaceOne({ _id: _id as never }, { name: 'moved', shop });
        expect(await adopt({ collection: 'captured' })).toMatchObject({ adopted: 1 });
      };
      await replace('once', 'south');
      await replace('twice', 'east');
      await replace('twice', 'south');
      if (!hasPosition) await leases().deleteOne({ _id: 'capture:position' });
      await app.close();

      await start();
      await until(async () => (await entriesOf('north')).length === 4);
      await until(async () => (await entriesOf('east')).length === 2);
      expect((await entriesOf('north')).slice(2).sort()).toEqual(['once delete', 'twice delete']);
      expect(await entriesOf('east')).toEqual(['twice upsert', 'twice delete']);
      expect(await entriesOf('south')).toEqual(['once upsert', 'twice upsert']);
      for (const _id of ids)
        expect(await rows('captured').findOne({ _id: _id as never })).toMatchObject({
          _sync_scope_id: 'south',
        });
    },
  );

  it('names documents whose scope field is renamed meanwhile; another run takes them by the new one', async () => {
    await rows().insertMany(many(4000));
    const report = await adopt({}, () =>
      rows().updateMany({ _sync_scope_id: null }, { $rename: { shop: 'region' } }),
    );
    const [missing] = report.refused;
    expect(missing).toMatchObject({ code: 'scope_missing', message: 'shop is missing' });
    expect(await adopt({ scopeField: 'region' })).toMatchObject({ adopted: missing?.count, refused: [] });
    expect(Object.keys(await agreedState(app, north))).toHaveLength(4000);
  });

  it('of a captured collection takes no other scope field than that one', async () => {
    await rows('captured').insertOne(plain({ region: 'west' }));
    await expect(adopt({ collection: 'captured', scopeField: 'region' })).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringMatching(/must be shop: the app captures captured by it/) as string,
      path: 'scopeField',
    });
  });

  it.each([{ $nothing: 1 }, { shop: { $what: 1 } }, { $or: 1 }])(
    'says that a filter is none: %j',
    async (where) => {
      await rows().insertOne(plain());
      await expect(adopt({ where })).rejects.toMatchObject({ code: 'configuration', path: 'where' });
      // Nothing is begun.
      expect(await adopt({ scopeField: 'region', dryRun: true })).toMatchObject({ adopted: 0 });
      expect(await adopt()).toMatchObject({ adopted: 1 });
    },
  );

  it('ends with a message when the collection is made again meanwhile', async () => {
    await rows().insertMany(many(4000));
    const again = async (): Promise<void> => {
      await rows().drop();
      await rows().insertMany(many(700));
    };
    await expect(adopt({}, again)).rejects.toMatchObject({
      code: 'configuration',
      message: expect.stringMatching(/items.*index.*start/) as string,
    });
    expect((await pullAll(app, north)).length).toBeLessThanOrEqual(4000);
  });
});
