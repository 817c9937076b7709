import * as fc from 'fast-check';
import type { mongo } from 'mongoose';
import type { PushResult } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { remove, startHttpApp, upsert, type HttpApp } from '../../support/http-app';
import { runs } from '../../support/runs';

const MANY = 999;
const range = (length: number): number[] => Array.from({ length }, (_, n) => n);
const codes = (results: readonly PushResult[]): (string | null)[] => results.map(({ code }) => code);

/** Unique among the documents of a scope that are not deleted. */
const LIVE: mongo.CreateIndexesOptions = { unique: true, partialFilterExpression: { _sync_deleted: false } };
const POINTS = { at: '2dsphere' as const };
const off = { at: { type: 'Point', coordinates: [200, 2] } };
const on = { at: { type: 'Point', coordinates: [20, 2] } };

interface Kind {
  readonly what: string;
  readonly index?: readonly [mongo.IndexSpecification, mongo.CreateIndexesOptions];
  readonly validator?: object;
  /** Documents that are there before. */
  readonly stored?: readonly object[];
  readonly data: (n: number) => object;
  readonly expected: (n: number) => string | null;
}

const taken = (n: number): string | null => (n === 0 ? null : 'unique_violation');
const KINDS: readonly Kind[] = [
  {
    what: 'one value that a stored document has',
    index: [{ _sync_scope_id: 1, sku: 1 }, LIVE],
    stored: [{ sku: 'S' }],
    data: () => ({ sku: 'S' }),
    expected: () => 'unique_violation',
  },
  {
    what: 'one value, which the first of them gets',
    index: [{ _sync_scope_id: 1, sku: 1 }, LIVE],
    data: () => ({ sku: 'S' }),
    expected: taken,
  },
  {
    what: 'distinct values, every other one taken',
    index: [{ _sync_scope_id: 1, sku: 1 }, LIVE],
    stored: range(MANY).map((n) => ({ sku: n * 2 })),
    data: (n) => ({ sku: n }),
    expected: (n) => (n % 2 === 0 ? 'unique_violation' : null),
  },
  {
    what: 'a field that none of them has',
    index: [{ _sync_scope_id: 1, 'supplier.code': 1 }, LIVE],
    data: (n) => ({ n }),
    expected: taken,
  },
  {
    what: 'a value in a list of values',
    index: [{ 'mails.address': 1 }, LIVE],
    stored: [{ mails: [{ address: 'info@shop' }, { address: 'b' }] }],
    data: (n) => ({
      mails: [{ address: `n${String(n)}` }, { address: n % 3 === 0 ? 'info@shop' : `own${String(n)}` }],
    }),
    expected: (n) => (n % 3 === 0 ? 'unique_violation' : null),
  },
  {
    what: 'values that a collation takes for the same',
    index: [{ name: 1 }, { ...LIVE, collation: { locale: 'en', strength: 1 } }],
    data: (n) => ({ name: ['Zoe', 'ZOË', 'zoé'][n % 3] }),
    expected: taken,
  },
  {
    what: 'values of a part of the documents',
    index: [
      { code: 1 },
      { unique: true, partialFilterExpression: { n: { $gte: 100 }, _sync_deleted: false } },
    ],
    data: (n) => ({ n, code: 'one' }),
    expected: (n) => (n > 100 ? 'unique_violation' : null),
  },
  {
    what: 'a sparse index of what few have',
    index: [{ badge: 1 }, { unique: true, sparse: true }],
    data: (n) => (n % 2 === 0 ? { n } : { badge: n % 4 }),
    expected: (n) => (n % 2 === 1 && n > 3 ? 'unique_violation' : null),
  },
  {
    what: 'a validator of the collection',
    validator: { $jsonSchema: { properties: { n: { bsonType: 'number', maximum: 500 } } } },
    data: (n) => ({ n }),
    expected: (n) => (n > 500 ? 'validation_failed' : null),
  },
  {
    what: 'a validator that fails itself',
    validator: { $expr: { $gt: [{ $toInt: { $ifNull: ['$n', 1] } }, 0] } },
    data: (n) => ({ n: n % 50 === 0 ? 'none' : 1 }),
    expected: (n) => (n % 50 === 0 ? 'validation_failed' : null),
  },
  {
    what: 'an index that cannot take every third',
    index: [POINTS, {}],
    data: (n) => (n % 3 === 0 ? off : on),
    expected: (n) => (n % 3 === 0 ? 'refused_by_database' : null),
  },
];

describe('a push with some hundred changes that the database refuses', () => {
  let app: HttpApp;
  const name = (index: number): string => `kind${String(index)}`;
  const TRIES = 40;

  beforeAll(async () => {
    app = await startHttpApp(testDatabase(__filename).uri, {
      options: {
        collections: [...KINDS.map((_, index) => name(index)), 'notes', 'items', 'places', 'ruled'].map(
          (collection) => ({ name: collection, freeForm: true, ids: 'scoped' as const }),
        ),
        // A transaction for each refusal would not be done by then.
        retryDeadlineMs: 15_000,
      },
    });
    for (const [at, { index, validator }] of KINDS.entries()) {
      if (index) await app.db.collection(name(at)).createIndex(...index);
      if (validator) await app.db.command({ collMod: name(at), validator });
    }
    await app.db.collection('items').createIndex({ _sync_scope_id: 1, sku: 1 }, LIVE);
    await app.db.collection('places').createIndex(POINTS);
    await app.db.command({ collMod: 'ruled', validator: { n: { $lt: 5 } }, validationLevel: 'moderate' });
  });
  afterAll(() => app.close());

  it.each(KINDS.map((kind, index) => [kind.what, kind, name(index)] as const))(
    '%s: each is answered for itself, in a handful of transactions',
    async (_, { stored = [], data, expected }, collection) => {
      const scope = collection;
      const device = app.as(scope, 'ann', 'one');
      if (stored.length > 0)
        await device.push(stored.map((each, n) => upsert(collection, `old${String(n)}`, each)));
      const changes = range(MANY).map((n) =>
        upsert(collection, `d${String(n)}`, data(n), { mutation_id: `m${String(n)}` }),
      );
      const pushing = device.push(changes, { atomic: 'mutation' });
      const other = await app.as(scope, 'bea', 'two').one(upsert('notes', 'n', { a: 1 }));
      const results = await pushing;
      expect(other.status).toBe('accepted');
      expect(codes(results)).toEqual(range(MANY).map(expected));
      const kept = range(MANY).filter((n) => expected(n) === null).length;
      expect(await app.db.collection(collection).countDocuments({})).toBe(stored.length + kept);
      // Refused for good: the same push again is answered the same.
      const again = await device.push(changes, { atomic: 'mutation' });
      expect(codes(again)).toEqual(codes(results));
    },
  );

  it('names all that block a batch, and rolls back the others', async () => {
    const batch = (collection: string, bad: object, good: object): Promise<PushResult[]> =>
      app.as('batch').push(
        range(300).map((n) => upsert(collection, `d${String(n)}`, n % 3 === 0 ? bad : { n, ...good })),
        { atomic: 'batch' },
      );
    await app.as('batch').one(upsert('items', 'owner', { sku: 'S' }));
    const expected = (code: string) => range(300).map((n) => (n % 3 === 0 ? code : 'batch_rolled_back'));
    const values = range(300).map((n) => upsert('items', `d${String(n)}`, { sku: n % 3 === 0 ? 'S' : n }));
    expect(codes(await app.as('batch').push(values, { atomic: 'batch' }))).toEqual(
      expected('unique_violation'),
    );
    expect(codes(await batch('places', off, on))).toEqual(expected('refused_by_database'));
    expect(await app.db.collection('places').countDocuments({ _sync_scope_id: 'batch' })).toBe(0);
  });

  it('takes back what each of many edits of one document would make of it', async () => {
    const device = app.as('edits');
    await device.one(upsert('items', 'owner', { sku: 'S' }));
    const edits = range(60).map((n) => upsert('items', 'd', { sku: n < 20 ? `n${String(n)}` : 'S', n }));
    const results = await device.push(edits, { atomic: 'mutation' });
    expect(codes(results)).toEqual(range(60).map((n) => (n < 20 ? null : 'unique_violation')));
    const moves = range(30).map((n) => upsert('places', 'd', { n, ...(n < 10 ? on : off) }));
    expect(codes(await device.push(moves, { atomic: 'mutation' }))).toEqual(
      range(30).map((n) => (n < 10 ? null : 'refused_by_database')),
    );
    expect(await app.db.collection('places').findOne({ _sync_scope_id: 'edits' })).toMatchObject({
      n: 9,
      ...on,
    });
  });

  it('lets what was invalid before stay so, where the collection’s validator does', async () => {
    const device = app.as('moderate');
    const { new_version: parent_version } = await device.one(upsert('ruled', 'old', { n: 1 }));
    const invalid = { $set: { n: 77 } };
    await app.db.collection('ruled').updateOne({ n: 1 }, invalid, { bypassDocumentValidation: true });
    const bad = range(20).map((n) => upsert('ruled', `new${String(n)}`, { n: n + 10 }));
    const results = await device.push([...bad, upsert('ruled', 'old', { n: 80 }, { parent_version })], {
      atomic: 'mutation',
    });
    expect(codes(results)).toEqual([...range(20).map(() => 'validation_failed'), null]);
  });

  it('is answered as if its changes had come one after another, in whatever way a value is taken or freed', async () => {
    interface Step {
      readonly doc: number;
      readonly sku: number | null;
    }
    const step: fc.Arbitrary<Step> = fc.record({
      doc: fc.nat({ max: 11 }),
      sku: fc.option(fc.nat({ max: 7 }), { freq: 4 }),
    });
    const asChange = ({ doc, sku }: Step, more: object): object =>
      sku === null
        ? remove('items', `d${String(doc)}`, more)
        : upsert('items', `d${String(doc)}`, { sku }, more);
    let round = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(step, { selector: ({ doc }) => doc, maxLength: 8 }),
        fc.uniqueArray(step, { selector: ({ doc }) => doc, minLength: 2, maxLength: 12 }),
        async (before, steps) => {
          round += 1;
          const [together, apart] = [app.as(`t${String(round)}`), app.as(`o${String(round)}`)];
          const versions: Record<string, string | null>[] = [{}, {}];
          for (const each of before)
            for (const [at, device] of [together, apart].entries()) {
              const { doc_id, new_version } = await device.one(asChange(each, {}));
              versions[at]![String(doc_id)] = new_version;
            }
          const more = (at: number, { doc }: Step) => ({
            parent_version: versions[at]![`d${String(doc)}`] ?? null,
          });
          const at_once = await together.push(
            steps.map((each) => asChange(each, more(0, each))),
            { atomic: 'mutation' },
          );
          const one_by_one: PushResult[] = [];
          for (const each of steps) one_by_one.push(await apart.one(asChange(each, more(1, each))));
          expect(codes(at_once)).toEqual(codes(one_by_one));
        },
      ),
      runs(TRIES),
    );
  });
});
