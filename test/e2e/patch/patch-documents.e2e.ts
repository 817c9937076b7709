import { Exclude, Expose, Transform } from 'class-transformer';
import { IsInt, IsOptional, IsString, Max, MaxLength } from 'class-validator';
import { mongo, Schema, Types } from 'mongoose';
import { SyncError, type JsonObject, type PushResult } from 'nest-offline-sync';
import { documentApps, type DocumentApp } from '../../support/document-app';
import { patch, upsert, type Device } from '../../support/http-app';

const open = documentApps(__filename);
let mutations = 0;

/** On the version that stands, unless another parent is said. */
async function send(device: Device, parts: object, more: object = {}): Promise<PushResult> {
  const parent_version = (await device.read('docs', 'd'))?.version;
  return device.one(
    patch('docs', 'd', parts, { mutation_id: `m${String(mutations++)}`, parent_version, ...more }),
  );
}

async function taken(device: Device, parts: object, more: object = {}): Promise<PushResult> {
  const result = await send(device, parts, more);
  expect(result).toMatchObject({ status: 'accepted', error: null });
  return result;
}

/** What the log, and with it every device, has of the document. */
async function logged(app: DocumentApp): Promise<JsonObject> {
  return (await app.two.read('docs', 'd'))?.data ?? {};
}

describe('what a patch sends is cast by the schema', () => {
  it('each value by its type, and nothing else is touched', async () => {
    const schema = new Schema({
      _id: String,
      at: Date,
      ref: Schema.Types.ObjectId,
      price: Schema.Types.Decimal128,
      big: BigInt,
      small: Schema.Types.Int32,
      bytes: Buffer,
      prices: { type: Map, of: Number },
      free: Schema.Types.Mixed,
      nested: { at: Date, n: Number },
      lines: [{ _id: String, n: Number }],
    });
    const app = await open(schema);
    const { one, edit, stored, model } = app;
    await edit(one, {
      at: '2026-05-02T12:00:00Z',
      price: '1.50',
      big: 1,
      bytes: 'AQI=',
      lines: [{ _id: 'a', n: 1 }],
    });
    const inFree = new Date('2026-01-01T00:00:00Z');
    await model.collection.updateOne({ _id: 'd' as never }, { $set: { free: { at: inFree } } });
    await taken(one, {
      data: {
        at: '2026-05-03T12:00:00+02:00',
        ref: '0123456789ABCDEF01234567',
        'prices.eur': 3,
        'nested.at': '2026-05-04',
        'free.more': 1,
        bytes: 'AQID',
      },
      inc: { price: -0.25, big: 41, small: 2, 'nested.n': 1, 'prices.usd': 2 },
    });
    const document = await stored();
    expect(document).toMatchObject({
      at: new Date('2026-05-03T10:00:00Z'),
      ref: new Types.ObjectId('0123456789abcdef01234567'),
      small: 2,
      prices: { eur: 3, usd: 2 },
      nested: { at: new Date('2026-05-04T00:00:00Z'), n: 1 },
      free: { at: inFree, more: 1 },
      lines: [{ _id: 'a', n: 1 }],
    });
    expect(document['price']).toEqual(mongo.Decimal128.fromString('1.25'));
    expect(await logged(app)).toMatchObject({ price: '1.25', big: 42, bytes: 'AQID' });
  });

  it.each<[string, object, string, string]>([
    ['a text for a number', { data: { n: 'x' } }, 'validation_failed', 'data.n'],
    ['a field of another type', { data: { 'nested.at': 5 } }, 'validation_failed', 'data.nested.at'],
    ['an unknown field', { data: { nope: 1 } }, 'unknown_field', 'data.nope'],
    ['an unknown nested field', { data: { 'nested.nope': 1 } }, 'unknown_field', 'data.nested.nope'],
    ['an unknown field to add to', { inc: { nope: 1 } }, 'unknown_field', 'data.nope'],
    ['a hidden field', { data: { secret: 'x' } }, 'unknown_field', 'data.secret'],
    ['a hidden field to remove', { unset: ['secret'] }, 'unknown_field', 'data.secret'],
    ['a field inside of a hidden one', { data: { 'secret.x': 1 } }, 'unknown_field', 'data.secret'],
    ['a hidden field in a value', { data: { nested: { key: 1 } } }, 'unknown_field', 'data.nested.key'],
    ['the version key', { inc: { __v: 1 } }, 'unknown_field', 'data.__v'],
    ['an alias', { data: { name: 'x' } }, 'unknown_field', 'data.name'],
    ['an element of another type', { add: { tags: [{}] } }, 'validation_failed', 'data.tags'],
    ['a required field taken away', { unset: ['needed'] }, 'validation_failed', 'data.needed'],
    ['a value that a rule refuses', { inc: { n: 100 } }, 'validation_failed', 'data.n'],
    ['inc of a text', { inc: { needed: 1 } }, 'patch_mismatch', 'data.needed'],
    ['inc of a date', { inc: { 'nested.at': 1 } }, 'patch_mismatch', 'data.nested.at'],
    ['inc of a list', { inc: { tags: 1 } }, 'patch_mismatch', 'data.tags'],
    ['inc of null', { inc: { nothing: 1 } }, 'patch_mismatch', 'data.nothing'],
    ['inc of a boolean', { inc: { flag: 1 } }, 'patch_mismatch', 'data.flag'],
    ['a fraction for a whole number', { inc: { small: 0.5 } }, 'validation_failed', 'data.small'],
    ['more than 32 bits', { inc: { small: 2 ** 31 } }, 'validation_failed', 'data.small'],
    ['a sum beyond what JSON holds', { inc: { huge: 2 } }, 'unsafe_number', 'data.huge'],
    ['add to what is no list', { add: { needed: [1] } }, 'patch_mismatch', 'data.needed'],
    ['remove from what is no list', { remove: { nested: [1] } }, 'patch_mismatch', 'data.nested'],
    ['a path through a list', { data: { 'tags.x': 1 } }, 'patch_mismatch', 'data.tags.x'],
    ['the end of a path through a list', { unset: ['lines.n'] }, 'patch_mismatch', 'data.lines.n'],
    ['a path through a text', { data: { 'needed.x': 1 } }, 'patch_mismatch', 'data.needed.x'],
    ['a path through null', { data: { 'nothing.x': 1 } }, 'patch_mismatch', 'data.nothing.x'],
  ])('%s is refused, and nothing is written', async (_, parts, code, path) => {
    const schema = new Schema({
      _id: String,
      n: { type: Number, max: 50 },
      huge: Number,
      small: Schema.Types.Int32,
      flag: Boolean,
      nothing: Schema.Types.Mixed,
      needed: { type: String, required: true, alias: 'name' },
      secret: { type: Schema.Types.Mixed, select: false },
      nested: { at: Date, key: { type: Number, select: false } },
      tags: [String],
      lines: [{ _id: String, n: Number }],
    });
    const app = await open(schema);
    const { one, edit, stored } = app;
    await edit(one, {
      n: 1,
      huge: Number.MAX_SAFE_INTEGER - 1,
      small: 1,
      flag: true,
      nothing: null,
      needed: 'x',
      nested: { at: '2026-05-04' },
      tags: ['a'],
      lines: [{ _id: 'l', n: 1 }],
    });
    const before = await stored();
    const result = await send(one, parts);
    expect(result).toMatchObject({ status: 'rejected', code, new_version: null });
    expect(result.error).toContain(path);
    expect(await stored()).toEqual(before);
  });

  it('numbers of 64 bits and decimals are added exactly, to their limits', async () => {
    const app = await open(new Schema({ _id: String, big: BigInt, price: Schema.Types.Decimal128 }));
    const { one, edit } = app;
    await edit(one, { big: '9007199254740993', price: '0.1' });
    for (let n = 0; n < 3; n++) await taken(one, { inc: { big: 1, price: 0.2 } });
    expect(await logged(app)).toEqual({ big: '9007199254740996', price: '0.7' });
    await edit(
      one,
      { big: '9223372036854775807', price: '9'.repeat(34) },
      (await one.read('docs', 'd'))?.version,
    );
    expect(await send(one, { inc: { big: 1 } })).toMatchObject({ code: 'unsafe_number' });
    expect(await send(one, { inc: { big: 0.5 } })).toMatchObject({ code: 'patch_mismatch' });
    expect(await send(one, { inc: { price: 1 } })).toMatchObject({ code: 'unsafe_number' });
    await taken(one, { inc: { big: -1 } });
    expect((await logged(app))['big']).toBe('9223372036854775806');
  });
});

describe('lists taken as sets', () => {
  it('hold each value once, as the schema casts it', async () => {
    const schema = new Schema({
      _id: String,
      tags: [{ type: String, lowercase: true }],
      refs: [Schema.Types.ObjectId],
      days: [Date],
      deep: { list: [Schema.Types.Mixed] },
    });
    const app = await open(schema);
    const { one, edit } = app;
    await edit(one, { tags: ['a'], refs: ['0123456789abcdef01234567'], days: ['2026-05-04T00:00:00.000Z'] });
    await taken(one, {
      add: {
        tags: ['A', 'B', 'b'],
        refs: ['0123456789ABCDEF01234567', 'ffffffffffffffffffffffff'],
        days: ['2026-05-04', '2026-05-05'],
        'deep.list': [1, '1', { x: 1, y: 2 }, { y: 2, x: 1 }, [1], null],
      },
    });
    expect(await logged(app)).toEqual({
      tags: ['a', 'b'],
      refs: ['0123456789abcdef01234567', 'ffffffffffffffffffffffff'],
      days: ['2026-05-04T00:00:00.000Z', '2026-05-05T00:00:00.000Z'],
      deep: { list: [1, '1', { x: 1, y: 2 }, [1], null] },
    });
    await taken(one, {
      remove: {
        tags: ['A'],
        refs: ['0123456789ABCDEF01234567'],
        days: ['2026-05-05'],
        'deep.list': [{ y: 2, x: 1 }, '1', 7],
      },
    });
    expect(await logged(app)).toEqual({
      tags: ['b'],
      refs: ['ffffffffffffffffffffffff'],
      days: ['2026-05-04T00:00:00.000Z'],
      deep: { list: [1, [1], null] },
    });
  });

  it('an object is known by what it says, not by what the server has put into it', async () => {
    const schema = new Schema({
      _id: String,
      lines: [new Schema({ sku: String, n: { type: Number, default: 1 } }, { timestamps: true })],
    });
    const app = await open(schema);
    const { one, edit } = app;
    await edit(one, { lines: [{ sku: 'a' }, { sku: 'b' }] });
    const [first, second] = (await logged(app))['lines'] as unknown as { _id: string }[];
    await taken(one, { add: { lines: [{ sku: 'a' }, { sku: 'b', n: 1 }, { sku: 'b', n: 2 }] } });
    const lines = (await logged(app))['lines'] as unknown as { _id: string; sku: string; n: number }[];
    expect(lines.map(({ sku, n }) => [sku, n])).toEqual([
      ['a', 1],
      ['b', 1],
      ['b', 2],
    ]);
    expect([lines[0]?._id, lines[1]?._id]).toEqual([first?._id, second?._id]);
    await taken(one, { remove: { lines: [{ sku: 'a' }, { _id: second?._id, sku: 'b' }] } });
    expect(((await logged(app))['lines'] as unknown as { n: number }[]).map(({ n }) => n)).toEqual([2]);
  });
});

describe('a patched document is validated as one that existed', () => {
  it('setters run on what was sent alone, once', async () => {
    const schema = new Schema({
      _id: String,
      cents: { type: Number, set: (value: number) => value * 100 },
      price: { type: Number, set: (value: number) => value * 100 },
      t: String,
    });
    const app = await open(schema);
    await app.edit(app.one, { cents: 1, price: 2 });
    await taken(app.one, { data: { t: 'x', price: 3 } });
    expect(await app.stored()).toMatchObject({ cents: 100, price: 300, t: 'x' });
  });

  it('immutable, hidden and generated fields, timestamps and the version key are the server’s', async () => {
    const schema = new Schema(
      {
        _id: String,
        by: { type: String, immutable: true },
        token: { type: String, default: () => String(Math.random()) },
        secret: { type: String, select: false },
        at: { street: String, door: { type: String, select: false } },
        t: String,
      },
      { timestamps: true },
    );
    const app = await open(schema);
    const { one, edit, stored, model } = app;
    await edit(one, { by: 'ann', t: '1', at: { street: 's' } });
    await model.collection.updateOne({ _id: 'd' as never }, { $set: { secret: 'x', 'at.door': '7' } });
    const before = await stored();
    await taken(one, {
      data: { by: 'mallory', t: '2', createdAt: '2020-01-01', updatedAt: '2020-01-01', at: { street: 'r' } },
      unset: ['token'],
    });
    const after = await stored();
    expect(after).toMatchObject({
      by: 'ann',
      t: '2',
      token: before['token'],
      secret: 'x',
      at: { street: 'r', door: '7' },
      createdAt: before['createdAt'],
      __v: (before['__v'] as number) + 1,
    });
    expect((after['updatedAt'] as Date).getTime()).toBeGreaterThan((before['updatedAt'] as Date).getTime());
    expect(JSON.stringify(await one.pull())).not.toContain('door');
    const strict = await open(
      new Schema({ _id: String, by: { type: String, immutable: true } }, { strict: 'throw' }),
    );
    await strict.edit(strict.one, { by: 'ann' });
    expect(await send(strict.one, { data: { by: 'mallory' } })).toMatchObject({ code: 'validation_failed' });
  });

  it('times never conflict: a device may send its own', async () => {
    const app = await open(new Schema({ _id: String, t: String, u: String }, { timestamps: true }), {
      conflict: 'reject-stale',
    });
    const first = await app.edit(app.one, { t: '1', u: '1' });
    await app.edit(app.two, { t: '2', u: '1' }, first);
    await taken(app.one, { data: { u: '2', updatedAt: '2026-01-01' } }, { parent_version: first });
  });

  it('by validators and hooks of the app, which may wait for something', async () => {
    const seen: object[] = [];
    const schema = new Schema({
      _id: String,
      n: { type: Number, validate: (value: number) => Promise.resolve(value < 12) },
      t: String,
    });
    schema.pre('validate', function () {
      seen.push({ isNew: this.isNew, n: this.isModified('n'), t: this.isModified('t') });
    });
    const app = await open(schema);
    await app.edit(app.one, { n: 9, t: 'x' });
    seen.length = 0;
    await taken(app.one, { inc: { n: 1 } });
    expect(seen).toEqual([{ isNew: false, n: true, t: false }]);
    expect(await send(app.one, { inc: { n: 5 } })).toMatchObject({ code: 'validation_failed' });
    expect(await app.stored()).toMatchObject({ n: 10 });
  });

  it('many devices that patch one document concurrently are all taken, whatever code of the app has to see it', async () => {
    const schema = () =>
      new Schema({ _id: String, n: Number, t: { type: String, validate: () => Promise.resolve(true) } });
    for (const transform of [undefined, (_: string, data: JsonObject) => Promise.resolve(data)]) {
      const app = await open(schema(), { conflict: 'reject-stale', ...(transform ? { transform } : {}) });
      await app.edit(app.one, { n: 0, t: 'x' });
      const results = await Promise.all(
        Array.from({ length: 12 }, (_, at) =>
          send(app.app.as('shop', 'ann', `c${String(at)}`), { inc: { n: 1 } }),
        ),
      );
      expect(results.map(({ status }) => status)).toEqual(Array(12).fill('accepted'));
      expect(await app.stored()).toMatchObject({ n: 12 });
    }
  });

  it('a document that comes back from its tombstone is judged as a new one', async () => {
    const schema = new Schema({ _id: String, t: String, n: Schema.Types.Decimal128 });
    schema.pre('validate', function () {
      if (this.isNew && this.get('t') === 'no') throw new Error('no');
    });
    const app = await open(schema);
    const first = await app.edit(app.one, { t: 'a', n: '1.5' });
    await app.two.one({ collection: 'docs', operation: 'delete', doc_id: 'd', parent_version: first });
    const more = { parent_version: first };
    expect(await send(app.one, { data: { t: 'no' } }, more)).toMatchObject({ code: 'validation_failed' });
    expect(await send(app.one, { inc: { n: 1 } }, more)).toMatchObject({ status: 'conflict_resolved' });
    expect((await app.stored())['n']).toEqual(mongo.Decimal128.fromString('2.5'));
  });
});

describe('code of the app that sees documents', () => {
  it('a transform gets the whole document as the patch leaves it, and what it changes counts', async () => {
    const seen: JsonObject[] = [];
    const app = await open(new Schema({ _id: String, t: String, n: Number, by: String }), {
      transform: (_collection, data, { actorId }) => {
        seen.push(data);
        if (data['t'] === 'no') throw new SyncError('validation_failed', 'not this');
        return { ...data, by: actorId };
      },
    });
    const { one, two, edit, stored } = app;
    await edit(one, { t: 'a', n: 1 });
    await taken(two, { inc: { n: 1 } });
    expect(seen.at(-1)).toEqual({ t: 'a', n: 2, by: 'ann' });
    expect(await stored()).toMatchObject({ t: 'a', n: 2, by: 'bea' });
    expect(await send(two, { data: { t: 'no' } })).toMatchObject({ code: 'validation_failed' });
    expect(await stored()).toMatchObject({ t: 'a', n: 2 });
  });

  it('sees a document that the same push has just written, whose times are others with each try', async () => {
    const schema = new Schema({ _id: String, t: String, n: Number }, { timestamps: true });
    const app = await open(schema, { transform: (_, data) => ({ ...data }) });
    const change = (operation: string, id: string, parts: object) => ({
      ...{ collection: 'docs', doc_id: 'd', operation, mutation_id: id, ...parts },
    });
    const results = await app.one.push([
      change('upsert', 'u1', { data: { t: 'a', n: 1 } }),
      change('patch', 'p1', { inc: { n: 1 } }),
      change('patch', 'p2', { inc: { n: 1 }, data: { t: 'b' } }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['accepted', 'accepted', 'accepted']);
    expect(await app.stored()).toMatchObject({ t: 'b', n: 3 });
  });

  it('a DTO judges the whole document, changes what was sent alone, and minds no other field that it does not know', async () => {
    @Exclude()
    class Dto {
      @Expose()
      @IsString()
      @MaxLength(3)
      @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? `${value}!` : value))
      needed!: string;
      @Expose()
      @IsOptional()
      @IsInt()
      @Max(5)
      n?: number;
    }
    const schema = () => new Schema({ _id: String, needed: String, n: Number, other: String });
    const app = await open(schema(), { dto: Dto });
    const { one, edit, stored, model } = app;
    await edit(one, { needed: 'a', n: 1 });
    await model.collection.updateOne({ _id: 'd' as never }, { $set: { other: 'the app’s own' } });
    await taken(one, { inc: { n: 1 } });
    expect(await stored()).toMatchObject({ needed: 'a!', n: 2, other: 'the app’s own' });
    await taken(one, { data: { needed: 'b' } });
    expect(await stored()).toMatchObject({ needed: 'b!', n: 2 });
    for (const [parts, code] of [
      [{ inc: { n: 9 } }, 'validation_failed'],
      [{ unset: ['needed'] }, 'validation_failed'],
    ] as const)
      expect(await send(one, parts)).toMatchObject({ code });
    class Plain {
      @IsString()
      needed!: string;
    }
    for (const [unknownFields, code] of [
      ['reject', 'unknown_field'],
      ['strip', null],
    ] as const) {
      const other = await open(schema(), { dto: Plain, unknownFields });
      await other.edit(other.one, { needed: 'a' });
      expect(await send(other.one, { data: { other: 'x' } })).toMatchObject({ code });
      expect(Object.keys(await other.stored())).not.toContain('other');
    }
  });

  it('an authorizer is asked about an upsert', async () => {
    const asked: string[] = [];
    const app = await open(new Schema({ _id: String, n: Number }), {
      authorizer: ({ actorId }, _collection, action) => {
        asked.push(action);
        return action === 'read' || actorId === 'ann';
      },
    });
    await app.edit(app.one, { n: 1 });
    expect(await send(app.two, { inc: { n: 1 } })).toMatchObject({ code: 'forbidden' });
    await taken(app.one, { inc: { n: 1 } });
    expect(new Set(asked)).toEqual(new Set(['upsert', 'read']));
  });

  it('a resolver decides about what is set; what is added goes onto its answer', async () => {
    const seen: unknown[] = [];
    const app = await open(new Schema({ _id: String, t: String, u: String, n: Number }), {
      resolver: ({ base, current, change }) => {
        seen.push({ base, current, operation: change.operation, data: change.data });
        if (change.data?.['t'] === 'gone') return null;
        return {
          ...current,
          t: [current?.['t'], change.data?.['t']].map((text) => text as string).join('+'),
        };
      },
    });
    const { one, two, edit, stored } = app;
    const first = await edit(one, { t: 'a', u: '1', n: 1 });
    const second = await edit(two, { t: 'b', u: '2', n: 5 }, first);
    const more = { parent_version: first };
    await taken(one, { inc: { n: 1 } }, more);
    expect(seen).toEqual([]);
    expect(await send(one, { data: { t: 'c' }, inc: { n: 1 } }, more)).toMatchObject({
      status: 'conflict_resolved',
      server_document: { data: { t: 'b+c', u: '2', n: 7 } },
    });
    expect(seen).toEqual([
      {
        base: { t: 'a', u: '1', n: 1 },
        current: { t: 'b', u: '2', n: 6 },
        operation: 'patch',
        data: { t: 'c', u: '1', n: 1 },
      },
    ]);
    expect(await send(one, { data: { t: 'gone' }, inc: { n: 1 } }, { parent_version: second })).toMatchObject(
      {
        status: 'conflict_resolved',
        server_document: { deleted: true },
      },
    );
    expect(await stored()).toMatchObject({ _sync_deleted: true });
    expect(
      await one.one(
        upsert('docs', 'd', { t: 'new' }, { parent_version: (await one.read('docs', 'd'))?.version }),
      ),
    ).toMatchObject({ status: 'accepted' });
  });
});
