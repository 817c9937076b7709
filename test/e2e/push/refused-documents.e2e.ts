import { Schema, type mongo } from 'mongoose';
import { testDatabase } from '../../support/database';
import { startHttpApp, upsert, type HttpApp } from '../../support/http-app';

const SECRET_TEXT = 'what nobody may read in an answer';

interface Kind {
  readonly what: string;
  readonly bad: object;
  readonly indexes?: readonly mongo.IndexSpecification[];
  readonly validator?: object;
  readonly code?: string;
}

/** What MongoDB says about one document, each with its own collection. */
const KINDS: readonly Kind[] = [
  {
    what: 'a point off the globe',
    indexes: [{ at: '2dsphere' }],
    bad: { at: { type: 'Point', coordinates: [200, 2] } },
  },
  {
    what: 'a polygon that crosses itself',
    indexes: [{ at: '2dsphere' }],
    bad: {
      at: {
        type: 'Polygon',
        coordinates: [
          [
            [0, 0],
            [1, 1],
            [0, 1],
            [1, 0],
            [0, 0],
          ],
        ],
      },
    },
  },
  { what: 'a geometry that is a text', indexes: [{ at: '2dsphere' }], bad: { at: SECRET_TEXT } },
  { what: 'a point off the plane', indexes: [{ at: '2d' }], bad: { at: [500, 500] } },
  { what: 'half a point', indexes: [{ at: '2d' }], bad: { at: [1] } },
  {
    what: 'a language that nobody speaks',
    indexes: [{ words: 'text' }],
    bad: { words: 'x', language: 'klingon' },
  },
  { what: 'a language that is a number', indexes: [{ words: 'text' }], bad: { words: 'x', language: 5 } },
  { what: 'a list in a hashed index', indexes: [{ key: 'hashed' }], bad: { key: [1, 2] } },
  { what: 'two lists in one index', indexes: [{ a: 1, b: 1 }], bad: { a: [1], b: [2] } },
  { what: 'a field name that may be a position', indexes: [{ 'a.0': 1 }], bad: { a: [{ 0: 1 }] } },
  {
    what: '$jsonSchema',
    validator: { $jsonSchema: { properties: { n: { bsonType: 'int', maximum: 5 } } } },
    bad: { n: 99 },
    code: 'validation_failed',
  },
  {
    what: 'an $expr that throws',
    validator: { $expr: { $ne: [{ $divide: [1, { $ifNull: ['$zero', 1] }] }, 7] } },
    bad: { zero: 0 },
    code: 'validation_failed',
  },
];

describe('a document that the database refuses', () => {
  let app: HttpApp;
  const name = (index: number): string => `kind${String(index)}`;

  beforeAll(async () => {
    app = await startHttpApp(testDatabase(__filename).uri, {
      options: {
        collections: [
          ...KINDS.map((_, index) => ({ name: name(index), freeForm: true, ids: 'scoped' as const })),
          { name: 'notes', freeForm: true, ids: 'scoped' },
        ],
      },
    });
    for (const [index, { indexes, validator }] of KINDS.entries()) {
      for (const key of indexes ?? []) await app.db.collection(name(index)).createIndex(key);
      if (validator) await app.db.command({ collMod: name(index), validator });
    }
  });
  afterAll(() => app.close());

  it.each(KINDS.map((kind, index) => [kind.what, kind, name(index)] as const))(
    '%s: the change is rejected, and no other of the push',
    async (_, { bad, code = 'refused_by_database' }, collection) => {
      const device = app.as('a', 'ann', collection);
      const changes = [
        upsert('notes', collection, { ok: 1 }, { mutation_id: '1' }),
        upsert(collection, 'bad', { ...bad, more: SECRET_TEXT }, { mutation_id: '2' }),
        upsert(collection, 'good', { ok: 2 }, { mutation_id: '3' }),
      ];
      const results = await device.push(changes, { atomic: 'mutation' });
      expect(results.map((result) => result.code)).toEqual([null, code, null]);
      // A document that is there already is refused its change too, and keeps what it had.
      const [update] = await device.push([
        upsert(collection, 'good', bad, { parent_version: results[2]!.new_version }),
      ]);
      expect(update).toMatchObject({ status: 'rejected', code });
      expect(await app.db.collection(collection).countDocuments({ ok: 2 })).toBe(1);
      expect(JSON.stringify([results, update, app.logs])).not.toContain(SECRET_TEXT);
    },
  );

  it('rolls a batch back, and names the change', async () => {
    const changes = [upsert('notes', 'batch', { ok: 1 }), upsert('kind0', 'batch', KINDS[0]!.bad)];
    const results = await app.as('b').push(changes, { atomic: 'batch' });
    expect(results.map(({ code }) => code)).toEqual(['batch_rolled_back', 'refused_by_database']);
  });

  it('costs pushes of others in the same group nothing', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        app
          .as(`g${String(n % 2)}`)
          .one(upsert('kind3', `d${String(n)}`, { at: n % 4 === 0 ? [999, 0] : [1, n] })),
      ),
    );
    expect(answers.map(({ code }) => code)).toEqual(
      answers.map((_, n) => (n % 4 === 0 ? 'refused_by_database' : null)),
    );
  });

  it.each([
    ['in an index that cannot take it', 'kind0', KINDS[0]!.bad, 'refused_by_database'],
    ['larger than a message may be', 'notes', { text: 'x'.repeat(17 << 20) }, 'document_too_large'],
    [
      'a little larger than MongoDB stores',
      'notes',
      { text: 'x'.repeat((16 << 20) - 20) },
      'document_too_large',
    ],
    [
      'that MongoDB would take, and whose entry it would not',
      'notes',
      { text: '"'.repeat(9 << 20) },
      'document_too_large',
    ],
  ])('the app’s own: %s ends its transaction with that word', async (_, collection, data, code) => {
    const identity = { scopeId: 'own', actorId: 'app' };
    const writing = app.sync.transaction(identity, async (tx) => {
      await tx.upsert('notes', 'before', { ok: 1 });
      await tx.upsert(collection, 'big', data);
    });
    await expect(writing).rejects.toMatchObject({ name: 'SyncError', code });
    expect((await app.as('own').pull()).changes).toEqual([]);
  });
});

describe('a document that a schema’s index refuses', () => {
  it('is rejected like any other', async () => {
    const schema = new Schema({ _id: String, at: { type: { type: String }, coordinates: [Number] } });
    schema.index({ at: '2dsphere' });
    const app = await startHttpApp(testDatabase(__filename).uri, {
      models: [{ name: 'Place', schema, collection: 'places' }],
      options: { collections: ['places'] },
    });
    try {
      await app.db.collection('places').createIndex({ at: '2dsphere' });
      const at = { type: 'Point', coordinates: [1, 91] };
      expect((await app.as('a').one(upsert('places', 'pole', { at }))).code).toBe('refused_by_database');
    } finally {
      await app.close();
    }
  });
});
