import { IsString } from 'class-validator';
import mongoose from 'mongoose';
import type { JsonObject } from 'nest-offline-sync-protocol';
import type { SyncedCollection } from '../../../libs/sync/src/collections/collection';
import { encodeDocument } from '../../../libs/sync/src/codec/wire-codec';
import {
  collection,
  document,
  hostConnection,
  sentNew,
  useCollections,
  writtenNew,
} from '../../support/collections';

const { mongo } = mongoose;
const HEX = '507f1f77bcf86cd799439011';

useCollections();

type OptionalId = mongoose.mongo.OptionalId<Record<string, unknown>>;

/** The driver takes ids of an untyped collection for ObjectIds. */
function idOf(of: SyncedCollection, id: string): mongoose.mongo.ObjectId {
  return of.ids.toStored('shop', id) as mongoose.mongo.ObjectId;
}

describe('data through the database and back', () => {
  const data: JsonObject = {
    title: 'Paint',
    due: '2026-05-02T12:00:00.000Z',
    owner: HEX,
    price: '12.50',
    total: '9223372036854775807',
    photo: 'aGVsbG8=',
    tags: ['a', 'b'],
  };

  it('is the same on the wire before storing and after reading, and what was sent', async () => {
    const tasks = await collection({ name: 'tasks' });
    const made = await document(sentNew(tasks, HEX, data));
    const _id = idOf(tasks, HEX);
    await tasks.store.replaceOne({ _id }, { ...made, _sync_version: 'v' }, { upsert: true });
    const read = await tasks.store.findOne({ _id });
    if (!read) throw new Error('not stored');
    expect(encodeDocument(read)).toEqual(encodeDocument(made));
    expect(encodeDocument(read)).toMatchObject(data);
    expect(read.due).toBeInstanceOf(Date);
    expect(read.photo).toBeInstanceOf(mongo.Binary);
    // The app sees its own types.
    const hydrated = await hostConnection().model('Task').findById(HEX);
    expect(String(hydrated?.get('photo'))).toBe('hello');
  });

  it('from the app’s own document takes the same way', async () => {
    const tasks = await collection({ name: 'tasks' });
    const task = new (hostConnection().models.Task!)({
      title: 'Paint',
      owner: HEX,
      photo: Buffer.from('hello'),
    });
    const made = await document(writtenNew(tasks, HEX, task));
    expect(encodeDocument(made)).toMatchObject({ title: 'Paint', owner: HEX, photo: 'aGVsbG8=' });
  });

  it('free-form is kept as it came', async () => {
    const notes = await collection({ name: 'notes', freeForm: true, ids: 'scoped' });
    const note = {
      due: '2026-05-02T12:00:00.000Z',
      owner: HEX,
      list: [1, [2, { a: null }]],
      empty: {},
      ratio: 0.1,
    };
    const made = await document(sentNew(notes, 'settings', note));
    const _id = idOf(notes, 'settings');
    await notes.store.replaceOne({ _id }, made, { upsert: true });
    const read = await notes.store.findOne({ _id });
    expect(read && encodeDocument(read)).toEqual(note);
    expect(read && notes.ids.toWire(read._id)).toBe('settings');
    expect(notes.ids.toStored('other', 'settings')).not.toBe(_id);
  });

  it('a poisoned document that the app has stored can still be read', async () => {
    const notes = await collection({ name: 'notes', freeForm: true, ids: 'scoped' });
    const poisoned: Record<string, unknown> = {
      ...(JSON.parse('{"inner":{"__proto__":{"admin":true}},"__proto__":{"admin":true}}') as object),
      _id: { odd: new Date(0) },
      nan: NaN,
      infinite: Infinity,
      list: [undefined, { gone: undefined }],
      huge: mongo.Long.MAX_VALUE,
      small: mongo.Long.fromNumber(5),
      stamp: new mongo.Timestamp({ t: 1, i: 2 }),
      regex: /a+/i,
      code: new mongo.Code('f()'),
      least: new mongo.MinKey(),
      symbol: new mongo.BSONSymbol('s'),
      never: new mongo.Long(0x7fffffff, 0x7fffffff),
      reference: new mongo.DBRef('tasks', new mongo.ObjectId(HEX)),
      'a.b': { $x: 1 },
    };
    await notes.store.insertOne(poisoned);
    const read = await notes.store.findOne({ nan: NaN });
    if (!read) throw new Error('not stored');
    const wire = encodeDocument(read);
    expect(JSON.parse(JSON.stringify(wire))).toEqual(wire);
    expect(wire).toMatchObject({
      nan: null,
      infinite: null,
      list: [null, {}],
      huge: '9223372036854775807',
      small: 5,
      stamp: { $timestamp: { t: 1, i: 2 } },
      regex: { $regularExpression: { pattern: 'a+', options: 'i' } },
      reference: { $ref: 'tasks', $id: HEX },
    });
    expect(Object.hasOwn(wire, '__proto__')).toBe(true);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    expect(notes.ids.toWire(read._id)).toBe('{"odd":"1970-01-01T00:00:00.000Z"}');
  });

  it('refuses the key that would make the driver fail in the middle of a group', async () => {
    const notes = await collection({ name: 'notes', freeForm: true, ids: 'scoped' });
    const bad = { a: { _bsontype: 'ObjectId' } };
    await expect(notes.store.insertOne({ _id: 'bad', ...bad } as unknown as OptionalId)).rejects.toThrow();
    const prepared = await sentNew(notes, 'x', bad);
    expect(prepared).toMatchObject({ ok: false, rejection: { code: 'forbidden_key' } });
  });

  it('meets the DTO first and the schema after it', async () => {
    class TaskDto {
      @IsString() title!: string;
      @IsString({ message: 'tells the DTO’s own reason' }) due!: string;
    }
    const tasks = await collection({ name: 'tasks', dto: TaskDto });
    const code = async (given: JsonObject) => {
      const prepared = await sentNew(tasks, HEX, given);
      return prepared.ok ? 'ok' : `${prepared.rejection.code} ${prepared.rejection.message}`;
    };
    expect(await code({ title: 'a', due: 5 })).toBe(
      'validation_failed data.due: tells the DTO’s own reason.',
    );
    expect(await code({ title: 'a', due: 'x' })).toMatch(
      /^validation_failed data.due: cannot be taken as date/,
    );
    expect(await code({ title: 'a', due: '2026-05-02', tags: [] })).toMatch(/^unknown_field data.tags/);
    expect(await code({ title: 'a', due: '2026-05-02' })).toBe('ok');
  });

  it('strips what neither the DTO nor the schema knows, when asked to', async () => {
    const tasks = await collection({ name: 'tasks', unknownFields: 'strip' });
    const made = await document(sentNew(tasks, HEX, { title: 'a', extra: 1 }));
    expect(Object.keys(made).sort()).toEqual(['__v', 'createdAt', 'title', 'updatedAt']);
  });
});
