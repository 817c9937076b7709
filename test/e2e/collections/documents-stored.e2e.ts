import mongoose, { Schema } from 'mongoose';
import { formatHlc } from 'nest-offline-sync';
import { documentApps, IDENTITY } from '../../support/document-app';
import { upsert } from '../../support/http-app';

const open = documentApps(__filename);
const later = (ms = 1000) => formatHlc({ ms: Date.now() + ms, counter: 0, node: 'dev' });

describe('a value that comes back as it is stored is the stored value', () => {
  const cents = { type: Number, set: (value: number) => Math.round(value * 100) };
  const hashed = { type: String, set: (value: string) => `hash(${value})` };

  it('also when it is stale: a later writer has changed it since', async () => {
    const { one, two, edit, stored } = await open(new Schema({ _id: String, name: String, price: cents }));
    const first = await edit(one, { name: 'a', price: 5 });
    await edit(two, { name: 'a', price: 7 }, first);
    // Device one pulled the first version (500) and edits only the name; its edit is the last one.
    await edit(one, { name: 'b', price: 500 }, first, { hlc: later() });
    expect(await stored()).toMatchObject({ name: 'b', price: 500 });
  });

  it('in elements of lists, whichever place they have now', async () => {
    const schema = new Schema({
      _id: String,
      lines: [{ sku: String, price: cents }],
      secrets: [hashed],
    });
    const { one, edit, stored } = await open(schema);
    const first = await edit(one, {
      lines: [
        { sku: 'a', price: 1 },
        { sku: 'b', price: 2 },
      ],
      secrets: ['x', 'y'],
    });
    const pulled = (await one.read('docs', 'd'))!.data as { lines: object[]; secrets: string[] };
    expect(pulled.secrets).toEqual(['hash(x)', 'hash(y)']);
    await edit(
      one,
      { lines: [{ sku: 'c', price: 3 }, ...pulled.lines], secrets: ['z', ...pulled.secrets] },
      first,
    );
    const document = await stored();
    expect(document['secrets']).toEqual(['hash(z)', 'hash(x)', 'hash(y)']);
    expect((document['lines'] as { price: number }[]).map(({ price }) => price)).toEqual([300, 100, 200]);
  });

  it('in nested objects and maps, and when validators would refuse what the setter makes of it', async () => {
    const schema = new Schema({
      _id: String,
      deep: { price: { ...cents, max: 10_000 } },
      prices: { type: Map, of: cents },
      t: String,
    });
    const { one, edit, stored } = await open(schema);
    const first = await edit(one, { deep: { price: 90 }, prices: { eur: 1 }, t: 'a' });
    await edit(one, { deep: { price: 9000 }, prices: { eur: 100, usd: 2 }, t: 'b' }, first);
    expect(await stored()).toMatchObject({ deep: { price: 9000 }, prices: { eur: 100, usd: 200 }, t: 'b' });
  });

  it('for a type or a field that the schema no longer has', async () => {
    const { app, one, edit, stored } = await open(new Schema({ _id: String, n: Number, t: String }));
    await app.db.collection<{ _id: string }>('docs').insertOne({
      _id: 'd',
      n: '12',
      old: { at: new Date(0) },
      _sync_scope_id: 'shop',
    } as never);
    await app.sync.transaction(IDENTITY, (tx) =>
      app.sync.recordServerChange({
        collection: 'docs',
        docId: 'd',
        operation: 'upsert',
        identity: IDENTITY,
        session: tx.session,
      }),
    );
    const { data, version } = (await one.read('docs', 'd'))!;
    expect(data).toEqual({ n: '12', old: { at: '1970-01-01T00:00:00.000Z' } });
    await edit(one, { ...data, t: 'new' }, version);
    expect(await stored()).toMatchObject({ n: '12', old: { at: new Date(0) }, t: 'new' });
    const wrong = await one.one(
      upsert('docs', 'd', { ...data, n: '13' }, { parent_version: (await one.read('docs', 'd'))!.version }),
    );
    expect(wrong.code).toBe('validation_failed');
  });

  it('without a schema, for the types that only the app can store', async () => {
    const { app, one } = await open(new Schema({ _id: String }));
    const free = app.db.collection<{ _id: string }>('free');
    await free.deleteMany({});
    const ref = new mongoose.Types.ObjectId();
    await app.sync.transaction(IDENTITY, (tx) =>
      tx.upsert('free', 'd', { at: new Date(5), list: [{ ref, n: 1 }], t: 'a' }),
    );
    const { data, version } = (await one.read('free', 'd'))!;
    const list = [{ ...(data!['list'] as object[])[0], n: 2 }];
    await one.one(upsert('free', 'd', { ...data, list, t: 'b' }, { parent_version: version }));
    expect(await free.findOne({ _id: 'd' })).toMatchObject({
      at: new Date(5),
      list: [{ ref, n: 2 }],
      t: 'b',
    });
  });

  it('for a Mongoose document of the app, whose setters have run', async () => {
    const { app, model, stored } = await open(new Schema({ _id: String, price: cents, pin: hashed }));
    const write = (document: object) =>
      app.sync.transaction(IDENTITY, (tx) => tx.upsert('docs', 'd', document));
    await write(new model({ _id: 'd', price: 5, pin: 'x' }));
    expect(await stored()).toMatchObject({ price: 500, pin: 'hash(x)' });
    const loaded = (await model.findById('d'))!;
    await write(loaded.set('price', 7));
    expect(await stored()).toMatchObject({ price: 700, pin: 'hash(x)' });
    const record = { collection: 'docs', docId: 'd', operation: 'upsert', identity: IDENTITY } as const;
    await app.sync.recordServerChange({ ...record, data: loaded.set('price', 8) });
    expect(await stored()).toMatchObject({ price: 800, pin: 'hash(x)' });
  });

  it('when the setter itself would refuse it, or would make another one each time', async () => {
    let calls = 0;
    const sealed = {
      type: String,
      set: (value: string) => {
        if (value.startsWith('sealed')) throw new TypeError('sealed twice');
        return `sealed ${String(++calls)} ${value}`;
      },
    };
    const { one, edit, stored } = await open(
      new Schema({ _id: String, pin: sealed, t: String, in: [{ pin: sealed }] }),
    );
    const first = await edit(one, { pin: 'x', t: 'a', in: [{ pin: 'y' }] });
    const { pin } = await stored();
    const { data } = (await one.read('docs', 'd'))!;
    await edit(one, { ...data, t: 'b' }, first);
    expect(await stored()).toMatchObject({
      pin,
      t: 'b',
      in: [{ pin: expect.stringMatching(/^sealed \d y$/) as string }],
    });
  });

  it('for a resolver’s document too', async () => {
    const schema = new Schema({ _id: String, name: String, price: cents });
    const { one, two, edit, stored } = await open(schema, {
      resolver: ({ current, change }) => ({ ...current, name: change.data?.['name'] ?? 'none' }),
    });
    const first = await edit(one, { name: 'a', price: 5 });
    await edit(two, { name: 'b', price: 500 }, first);
    await edit(one, { name: 'c', price: 500 }, first);
    expect(await stored()).toMatchObject({ name: 'c', price: 500 });
  });
});

describe('what the server has put into a document is no edit of a device', () => {
  it('a generated _id of an element: another device’s edit of the list is kept', async () => {
    const schema = new Schema({ _id: String, title: String, lines: [{ sku: String, qty: Number }] });
    const { one, two, edit, stored } = await open(schema, { conflict: 'merge' });
    const lines = [{ sku: 'a', qty: 1 }];
    const first = await edit(one, { title: 'a', lines });
    const pulled = (await two.read('docs', 'd'))!.data as { lines: { qty: number }[] };
    await edit(two, { title: 'a', lines: [{ ...pulled.lines[0], qty: 5 }] }, first);
    // Device one has never seen the ids; it edits the title alone.
    await edit(one, { title: 'b', lines }, first, { hlc: later() });
    expect(await stored()).toMatchObject({ title: 'b', lines: [{ sku: 'a', qty: 5 }] });
  });

  it('a default by function is made once', async () => {
    let made = 0;
    const schema = new Schema({ _id: String, t: String, token: { type: Number, default: () => ++made } });
    const { one, two, edit, stored } = await open(schema, { conflict: 'merge' });
    const first = await edit(one, { t: 'a' });
    const { token } = await stored();
    await edit(two, { t: 'b' }, first);
    await edit(one, { t: 'c' }, first, { hlc: later() });
    expect((await stored())['token']).toBe(token);
  });

  it('a constant default comes back when a device takes the field away, as before', async () => {
    const schema = new Schema({
      _id: String,
      state: { type: String, default: 'new' },
      tags: { type: [String], default: () => [] },
    });
    const { one, edit, stored } = await open(schema);
    const first = await edit(one, { state: 'paid', tags: ['x'] });
    await edit(one, {}, first);
    expect(await stored()).toMatchObject({ state: 'new', tags: [] });
  });
});

describe('the app’s own writes keep the types of values', () => {
  const values = () => ({
    at: new Date(5),
    ref: new mongoose.Types.ObjectId(),
    price: mongoose.Types.Decimal128.fromString('1.50'),
    big: mongoose.mongo.Long.fromString('9223372036854775807'),
    bytes: new mongoose.mongo.Binary(Buffer.from('x')),
    key: new mongoose.mongo.UUID(),
    list: [{ at: new Date(6) }],
  });
  const typesOf = (meta: object) =>
    Object.values(meta).map((value: object) =>
      '_bsontype' in value ? value._bsontype : value.constructor.name,
    );

  it('new ones in Mixed fields, and in collections without a schema', async () => {
    const { app, stored } = await open(new Schema({ _id: String, meta: {} }));
    await app.sync.transaction(IDENTITY, (tx) => tx.upsert('docs', 'd', { meta: values() }));
    const { meta } = (await stored()) as { meta: ReturnType<typeof values> };
    expect(typesOf(meta)).toEqual(['Date', 'ObjectId', 'Decimal128', 'Long', 'Binary', 'Binary', 'Array']);
    expect(meta.list[0]!.at).toEqual(new Date(6));
  });

  it('recordServerChange stores what it was given', async () => {
    const { app, stored } = await open(new Schema({ _id: String, meta: {} }));
    const record = { collection: 'docs', docId: 'd', operation: 'upsert', identity: IDENTITY } as const;
    await app.sync.recordServerChange({ ...record, data: { meta: { at: new Date(5) } } });
    await app.sync.recordServerChange({ ...record, data: { meta: { at: new Date(7) } } });
    expect(((await stored())['meta'] as { at: unknown }).at).toEqual(new Date(7));
  });

  it('a Mongoose document, a Map and a class instance are what their model says', async () => {
    const schema = new Schema({ _id: String, at: Date, map: { type: Map, of: Date }, any: {} });
    const { app, model, stored } = await open(schema);
    const document = new model({
      _id: 'd',
      at: new Date(1),
      map: new Map([['a', new Date(2)]]),
      any: { at: new Date(3) },
    });
    await app.sync.transaction(IDENTITY, (tx) => tx.upsert('docs', 'd', document));
    expect(await stored()).toMatchObject({
      at: new Date(1),
      map: { a: new Date(2) },
      any: { at: new Date(3) },
    });
  });
});

describe('timestamps and the version key are the schema’s', () => {
  const shapeOf = (value: unknown): unknown =>
    value instanceof Date
      ? 'Date'
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(
            Object.entries(value)
              .filter(([key]) => !/^_(id|sync)/.test(key))
              .map(([key, inner]) => [key, shapeOf(inner)] as const)
              .sort(([a], [b]) => (a < b ? -1 : 1)),
          )
        : typeof value;

  it.each<[string, () => Schema, object]>([
    [
      'under other names',
      () => new Schema({ _id: String, t: String }, { timestamps: { createdAt: 'made', updatedAt: 'moved' } }),
      { t: 'x' },
    ],
    [
      'one of them only',
      () => new Schema({ _id: String, t: String }, { timestamps: { createdAt: false } }),
      { t: 'x' },
    ],
    [
      'at nested paths',
      () =>
        new Schema(
          { _id: String, t: String },
          { timestamps: { createdAt: 'meta.made', updatedAt: 'meta.moved' } },
        ),
      { t: 'x' },
    ],
    [
      'as numbers',
      () =>
        new Schema({ _id: String, t: String, createdAt: Number, updatedAt: Number }, { timestamps: true }),
      { t: 'x' },
    ],
    [
      'in subdocuments',
      () =>
        new Schema({
          _id: String,
          parts: [new Schema({ n: Number }, { timestamps: true })],
          one: new Schema({ n: Number }, { timestamps: true }),
        }),
      { parts: [{ n: 1 }], one: { n: 2 } },
    ],
    [
      'with a version key of another name',
      () => new Schema({ _id: String, t: String }, { versionKey: 'edits', timestamps: true }),
      { t: 'x' },
    ],
    [
      'without a version key',
      () => new Schema({ _id: String, t: String }, { versionKey: false }),
      { t: 'x' },
    ],
  ])('%s: stored as save() stores them, and what a device pulled is taken back', async (_, schema, data) => {
    const { app, one, model, edit, stored } = await open(schema());
    await new model({ _id: 'saved', ...data }).save();
    const first = await edit(one, data);
    expect(shapeOf(await stored())).toEqual(
      shapeOf(await app.db.collection('docs').findOne({ _id: 'saved' as never })),
    );
    const pulled = (await one.read('docs', 'd'))!;
    expect(Object.keys(pulled.data!)).not.toContain('__v');
    // Taken, and nothing to write: it stands already.
    expect(await edit(one, pulled.data!, first)).toBe(first);
  });

  it('updatedAt moves with a merge, createdAt stays', async () => {
    let now = 1;
    const schema = new Schema(
      { _id: String, a: Number, b: Number, createdAt: Number, updatedAt: Number },
      { timestamps: { currentTime: () => now++ } },
    );
    const { one, two, edit, stored } = await open(schema, { conflict: 'merge' });
    const first = await edit(one, { a: 1, b: 1 });
    const { createdAt } = await stored();
    await edit(one, { a: 2, b: 1 }, first);
    const before = await stored();
    await edit(two, { a: 1, b: 2 }, first);
    const merged = await stored();
    expect(merged).toMatchObject({ a: 2, b: 2, createdAt });
    expect(merged['updatedAt']).toBeGreaterThan(before['updatedAt'] as number);
  });

  it('an element keeps its own times while nobody edits it', async () => {
    let now = 1;
    const part = new Schema(
      { n: Number, createdAt: Number, updatedAt: Number },
      { timestamps: { currentTime: () => now++ } },
    );
    const { one, edit, stored } = await open(new Schema({ _id: String, t: String, parts: [part] }));
    const first = await edit(one, { t: 'a', parts: [{ n: 1 }, { n: 2 }] });
    const before = (await stored())['parts'] as object[];
    const pulled = (await one.read('docs', 'd'))!.data as { parts: { n: number }[] };
    await edit(one, { t: 'b', parts: [pulled.parts[0], { ...pulled.parts[1], n: 3 }] }, first);
    const after = (await stored())['parts'] as { updatedAt: number; createdAt: number }[];
    expect(after[0]).toEqual(before[0]);
    expect(after[1]!.createdAt).toBe((before[1] as { createdAt: number }).createdAt);
    expect(after[1]!.updatedAt).toBeGreaterThan((before[1] as { updatedAt: number }).updatedAt);
  });

  it('the app’s optimistic concurrency sees a device’s edit', async () => {
    const schema = new Schema({ _id: String, t: String, tags: [String] }, { optimisticConcurrency: true });
    const { one, model, edit, stored } = await open(schema);
    const first = await edit(one, { t: 'a', tags: [] });
    const loaded = (await model.findById('d'))!;
    // An older device still has the field in its copy.
    await edit(one, { t: 'b', tags: [], __v: 0 }, first);
    loaded.set('t', 'of the app');
    await expect(loaded.save()).rejects.toThrow(mongoose.Error.VersionError);
    expect(await stored()).toMatchObject({ t: 'b', __v: 1 });
  });
});
