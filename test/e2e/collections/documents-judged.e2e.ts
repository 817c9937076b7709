import { Exclude, Expose, Transform, Type } from 'class-transformer';
import { IsDate, IsOptional, IsString } from 'class-validator';
import { Schema, type Query } from 'mongoose';
import { formatHlc } from 'nest-offline-sync';
import { documentApps, IDENTITY } from '../../support/document-app';
import { upsert } from '../../support/http-app';

const open = documentApps(__filename);
const later = (ms = 1000) => formatHlc({ ms: Date.now() + ms, counter: 0, node: 'dev' });

describe('what a merge makes is validated like any other document', () => {
  it.each<[string, Schema]>([
    [
      'by a built-in rule on a field that only one side has',
      new Schema({
        _id: String,
        kind: String,
        note: {
          type: String,
          required: function (this: { kind?: string }): boolean {
            return this.kind === 'b';
          },
        },
      }),
    ],
    [
      'by a validator that waits for something',
      new Schema({
        _id: String,
        kind: String,
        note: String,
      }).pre('validate', async function () {
        await Promise.resolve();
        if (this.get('kind') === 'b' && !this.get('note')) throw new Error('b needs a note');
      }),
    ],
  ])('%s', async (_, schema) => {
    const { one, two, edit, stored } = await open(schema, { conflict: 'merge' });
    const first = await edit(one, { kind: 'a', note: 'x' });
    const without = await edit(one, { kind: 'a' }, first);
    const merged = await two.one(
      upsert('docs', 'd', { kind: 'b', note: 'x' }, { parent_version: first, hlc: later() }),
    );
    expect(merged).toMatchObject({
      status: 'rejected',
      code: 'conflict_stale',
      server_document: { data: { kind: 'a' } },
    });
    expect(await stored()).toMatchObject({ kind: 'a', _sync_version: without });
    const { data, version } = (await two.read('docs', 'd'))!;
    expect((await two.one(upsert('docs', 'd', data, { parent_version: version }))).status).toBe('accepted');
  });

  it('a document that comes back from its tombstone is judged as a new one', async () => {
    const seen: boolean[] = [];
    const schema = new Schema({ _id: String, t: String });
    schema.pre('validate', function () {
      seen.push(this.isNew);
      if (this.isNew && this.get('t') === 'late') throw new Error('no');
    });
    const { one, edit } = await open(schema);
    const first = await edit(one, { t: 'a' });
    const second = await edit(one, { t: 'late' }, first);
    await one.one({ collection: 'docs', operation: 'delete', doc_id: 'd', parent_version: second });
    expect(await one.one(upsert('docs', 'd', { t: 'late' }, { parent_version: first }))).toMatchObject({
      code: 'validation_failed',
    });
    expect(seen).toContain(true);
    expect(seen).toContain(false);
  });

  it('many devices that write one document concurrently are all answered, with hooks and validators of the app', async () => {
    const schema = new Schema({
      _id: String,
      n: Number,
      t: { type: String, validate: () => Promise.resolve(true) },
    });
    const { app, edit, one } = await open(schema, { conflict: 'client-wins' });
    await edit(one, { n: 0, t: 'x' });
    const results = await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        app.as('shop', 'ann', `c${String(n)}`).one(upsert('docs', 'd', { n, t: 'x' })),
      ),
    );
    expect(results.map(({ code }) => code)).toEqual(Array(12).fill(null));
  });
});

describe('an update is validated as one', () => {
  it('a list with an element that cannot be cast is refused, and the stored list is not emptied', async () => {
    const { one, edit, stored } = await open(new Schema({ _id: String, tags: [String] }));
    const parent_version = await edit(one, { tags: ['a'] });
    expect(await one.one(upsert('docs', 'd', { tags: ['a', {}] }, { parent_version }))).toMatchObject({
      code: 'validation_failed',
    });
    expect(await stored()).toMatchObject({ tags: ['a'] });
  });

  it.each<[string, Schema, object, object, object]>([
    [
      'nested',
      new Schema({ _id: String, a: { by: { type: String, immutable: true } }, t: String }),
      { a: { by: 'ann' }, t: '1' },
      { a: { by: 'mallory' }, t: '2' },
      { a: { by: 'ann' }, t: '2' },
    ],
    [
      'in the elements of a list',
      new Schema({ _id: String, lines: [{ _id: String, by: { type: String, immutable: true }, n: Number }] }),
      { lines: [{ _id: 'l', by: 'ann', n: 1 }] },
      { lines: [{ _id: 'l', by: 'mallory', n: 2 }] },
      { lines: [{ _id: 'l', by: 'ann', n: 2 }] },
    ],
    [
      'by a function of the document',
      new Schema({
        _id: String,
        done: Boolean,
        by: { type: String, immutable: (document: { done: boolean }) => document.done },
      }),
      { done: true, by: 'ann' },
      { done: true, by: 'mallory' },
      { done: true, by: 'ann' },
    ],
    [
      'taken away',
      new Schema({ _id: String, by: { type: String, immutable: true }, t: String }),
      { by: 'ann', t: '1' },
      { t: '2' },
      { by: 'ann', t: '2' },
    ],
  ])('an immutable field stays: %s', async (_, schema, before, after, expected) => {
    const { one, edit, stored } = await open(schema);
    await edit(one, after, await edit(one, before));
    expect(await stored()).toMatchObject(expected);
  });

  it('an immutable field stays in a merge and against a resolver, and is refused by a schema that throws', async () => {
    const schema = () => new Schema({ _id: String, by: { type: String, immutable: true }, t: String });
    for (const option of [{ conflict: 'merge' as const }, { resolver: () => ({ by: 'mallory', t: 'r' }) }]) {
      const { one, two, edit, stored, app } = await open(schema(), option);
      const first = await edit(one, { by: 'ann', t: '1' });
      await edit(one, { by: 'ann', t: '2' }, first);
      await edit(two, { by: 'mallory', t: '1' }, first, { hlc: later() });
      expect((await stored())['by']).toBe('ann');
      await app.close();
    }
    const { one, edit } = await open(schema().set('strict', 'throw'));
    const first = await edit(one, { by: 'ann' });
    expect(await one.one(upsert('docs', 'd', { by: 'bob' }, { parent_version: first }))).toMatchObject({
      code: 'validation_failed',
    });
    await edit(one, { by: 'ann', t: '2' }, first);
  });

  it.each(['global', 'scoped'] as const)(
    '"another one with this value" does not find the document itself: %s ids',
    async (ids) => {
      const schema = new Schema({
        _id: String,
        email: {
          type: String,
          validate: async function (
            this: { _id: string; constructor: { exists(filter: object): Query<unknown, unknown> } },
            email: string,
          ) {
            return !(await this.constructor.exists({ email, _id: { $ne: this._id } }));
          },
        },
        t: String,
      });
      const { one, edit } = await open(schema, { ids });
      const first = await edit(one, { email: 'a@x', t: '1' });
      await edit(one, { email: 'a@x', t: '2' }, first);
      expect(await one.one(upsert('docs', 'e', { email: 'a@x' }))).toMatchObject({
        code: 'validation_failed',
      });
    },
  );

  it('hooks see whether the document is new, and what was changed', async () => {
    const seen: unknown[] = [];
    const schema = new Schema({ _id: String, a: Number, b: Number });
    schema.pre('validate', function () {
      seen.push([this.isNew, this.isModified('a'), this.isModified('b')]);
    });
    const { one, edit } = await open(schema);
    const first = await edit(one, { a: 1, b: 1 });
    seen.length = 0;
    await edit(one, { a: 1, b: 2 }, first);
    expect(seen.at(-1)).toEqual([false, false, true]);
  });
});

describe('hidden fields', () => {
  const secretSchema = () =>
    new Schema({
      _id: String,
      name: String,
      hash: { type: String, select: false },
      account: { plan: String, token: { type: String, select: false } },
      keys: [{ label: String, value: { type: String, select: false } }],
    });

  it('never leave: not by pull, full, stream entry, conflict or resolver, and an edit leaves them as they are', async () => {
    const shown: unknown[] = [];
    const { app, one, two, edit, stored } = await open(secretSchema(), {
      resolver: (conflict) => {
        shown.push(conflict);
        return { ...conflict.current, ...conflict.change.data };
      },
    });
    await app.sync.transaction(IDENTITY, (tx) =>
      tx.upsert('docs', 'd', {
        name: 'a',
        hash: 'SECRET',
        account: { plan: 'p', token: 'SECRET' },
        keys: [{ label: 'k', value: 'SECRET' }],
      }),
    );
    const { data, version } = (await one.read('docs', 'd'))!;
    expect(data).toMatchObject({ name: 'a', account: { plan: 'p' }, keys: [{ label: 'k' }] });
    const second = await edit(one, { ...data, name: 'b' }, version);
    await edit(two, { ...data, name: 'c' }, version);
    await edit(one, { ...data, name: 'd', account: { plan: 'q' } }, second, { hlc: later() });
    const full = await one.send('/sync/full?limit=0');
    expect(full.text).toContain('"name":"d"');
    expect([...one.received, ...two.received, JSON.stringify(shown)].join()).not.toContain('SECRET');
    expect(await stored()).toMatchObject({
      hash: 'SECRET',
      account: { plan: 'q', token: 'SECRET' },
      keys: [{ label: 'k', value: 'SECRET' }],
    });
    const log = await app.db.collection('sync_oplog').find({}).toArray();
    expect(JSON.stringify(log)).not.toContain('SECRET');
  });

  it('cannot be written by a client, and are the app’s to change', async () => {
    const { app, one, edit, stored } = await open(secretSchema());
    const first = await edit(one, { name: 'a', keys: [{ label: 'k' }] });
    for (const data of [{ hash: 'x' }, { account: { token: 'x' } }, { keys: [{ value: 'x' }] }])
      expect(await one.one(upsert('docs', 'd', data, { parent_version: first }))).toMatchObject({
        code: 'unknown_field',
      });
    await app.sync.transaction(IDENTITY, async (tx) => {
      await tx.upsert('docs', 'd', { name: 'a', hash: 'new' });
      await tx.upsert('docs', 'd', { name: 'b' });
    });
    expect(await stored()).toMatchObject({ name: 'b', hash: 'new' });
  });

  it('by the option, also without a schema, and for entries that are older than it', async () => {
    const { app, one } = await open(new Schema({ _id: String, a: {}, b: String }), {
      hidden: ['a.secret', 'b'],
    });
    const at = {
      scope: 'shop',
      collection: 'docs',
      doc: 'x',
      operation: 'upsert',
      actor: 'old',
      at: new Date(),
    };
    await app.sync.transaction(IDENTITY, (tx) =>
      tx.upsert('docs', 'd', { a: { secret: 'SECRET', open: 1 }, b: 'SECRET' }),
    );
    const head = (await app.db.collection('sync_heads').findOne({ _id: 'shop' as never }))!;
    // What a version of the app without the option has written.
    const version = String(head['version']).replace(/-(\d{4})-/, '-9000-');
    const wire = JSON.stringify({
      version,
      seq: 900,
      collection: 'docs',
      doc_id: 'x',
      operation: 'upsert',
      data: { a: { secret: 'SECRET' }, b: 'SECRET', c: 1 },
      parent_version: null,
    });
    await app.db.collection('sync_oplog').insertOne({ ...at, version, seq: 900, wire });
    await app.db
      .collection('sync_heads')
      .updateOne({ _id: 'shop' as never }, { $set: { version, seq: 900 } });
    const { changes } = await one.pull();
    expect(changes.map(({ data }) => data)).toEqual([{ a: { open: 1 } }, { a: {}, c: 1 }]);
    await one.send('/sync/full?limit=0');
    expect(one.received.join()).not.toContain('SECRET');
  });
});

describe('ids, virtuals and DTOs', () => {
  it('an id that the schema would store in another way is refused', async () => {
    for (const options of [
      { lowercase: true },
      { trim: true, lowercase: true },
      { set: (id: string) => id.toLowerCase() },
    ]) {
      const { app, one } = await open(new Schema({ _id: { type: String, ...options }, t: String }));
      expect(await one.one(upsert('docs', 'ABC', { t: 'x' }))).toMatchObject({ code: 'invalid_doc_id' });
      expect(await one.one(upsert('docs', 'abc', { t: 'x' }))).toMatchObject({ code: null });
      expect(await app.db.collection('docs').countDocuments()).toBe(1);
      await app.close();
    }
  });

  it('data.id is a field like any other where the schema allows it', async () => {
    for (const schema of [
      new Schema({ _id: String, t: String }, { strict: false }),
      new Schema({ _id: String, id: String, t: String }),
    ]) {
      const { app, one, edit, stored } = await open(schema);
      await edit(one, { id: 'other', t: 'x' }, await edit(one, { id: 'my', t: 'x' }));
      expect(await stored()).toMatchObject({ _id: 'd', id: 'other' });
      expect((await one.read('docs', 'd'))!.data).toEqual({ id: 'other', t: 'x' });
      await app.close();
    }
  });

  it.each(['strip', 'reject'] as const)(
    'setters of virtuals and aliases never run: %s',
    async (unknownFields) => {
      const schema = new Schema({
        _id: String,
        n: { type: String, alias: 'name' },
        first: String,
        inner: new Schema({ role: String }, { _id: false }),
      });
      schema.virtual('full').set(function (value: string) {
        this.set('first', value);
      });
      (schema.path('inner') as unknown as { schema: Schema }).schema.virtual('admin').set(function () {
        this.set('role', 'admin');
      });
      const { one, stored } = await open(schema, { unknownFields });
      let parent: string | null = null;
      for (const data of [{ name: 'x' }, { full: 'x' }, { inner: { admin: true } }, { id: 'z' }]) {
        const { code, new_version } = await one.one(upsert('docs', 'd', data, { parent_version: parent }));
        parent = new_version;
        expect(code).toBe(unknownFields === 'reject' ? 'unknown_field' : null);
      }
      if (unknownFields === 'reject') return;
      const { _id, n, first, inner } = await stored();
      expect([_id, n, first, inner]).toEqual(['d', undefined, undefined, undefined]);
    },
  );

  it('what a DTO has judged is what is stored', async () => {
    class Dto {
      @IsString()
      @Transform(({ value }: { value: string }) => value.trim())
      title!: string;

      @IsOptional()
      @Type(() => Date)
      @IsDate()
      due?: Date;

      @IsOptional()
      @Exclude()
      internal?: string;

      @IsOptional()
      @Expose({ name: 'short_name' })
      @IsString()
      short?: string;
    }
    const schema = new Schema({
      _id: String,
      title: String,
      due: Date,
      internal: String,
      short: String,
      short_name: String,
    });
    const { one, edit, stored } = await open(schema, { dto: Dto });
    await edit(one, { title: '  a  ', due: '2026-05-02T12:00:00+02:00', internal: 'x', short_name: 'y' });
    const document = await stored();
    expect(document).toMatchObject({ title: 'a', due: new Date('2026-05-02T10:00:00Z'), short: 'y' });
    expect(document).not.toHaveProperty('internal');
    expect(document).not.toHaveProperty('short_name');
  });
});
