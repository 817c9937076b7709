import mongoose from 'mongoose';
import type { JsonObject } from 'nest-offline-sync-protocol';
import { castBy, castWith, everything, refused, taken } from '../../../../test/support/schema-cast';
import type { AnyModel } from './model-document';
import { encodeDocument } from '../codec/wire-codec';

const { Schema } = mongoose;
const cast = castBy(everything);

describe('unknown fields', () => {
  const data: JsonObject = {
    text: 'x',
    extra: 'secret',
    place: { x: 1, z: 2 },
    many: [{ q: 1 }, { other: 1 }],
  };

  it.each<[JsonObject, string]>([
    [{ extra: 'secret' }, 'data.extra'],
    [{ place: { z: 'secret' } }, 'data.place.z'],
    [{ one: { z: 'secret' } }, 'data.one.z'],
    [{ many: [{ q: 1 }, { z: 'secret' }] }, 'data.many[1].z'],
    [{ extra: null }, 'data.extra'],
    [{ save: 'secret' }, 'data.save'],
    [{ toString: 1 }, 'data.toString'],
  ])('%j is refused at its path', async (given, path) => {
    const rejection = await refused(cast(given));
    expect(rejection.code).toBe('unknown_field');
    expect(rejection.message.startsWith(`${path} `)).toBe(true);
    expect(rejection.message).not.toContain('secret');
  });

  it('are left out when asked for', async () => {
    const document = await taken(castBy(everything, 'strip')(data));
    expect(encodeDocument(document)).toEqual({ text: 'x', place: { x: 1 }, many: [{ q: 1 }, {}] });
  });

  it('are refused by a schema that is strict itself', async () => {
    const strict = new Schema({ text: String }, { strict: 'throw' });
    expect(await refused(castBy(strict, 'strip')({ text: 'x', extra: 1 }))).toEqual(
      expect.objectContaining({
        code: 'unknown_field',
        message: expect.stringContaining('data.extra') as string,
      }),
    );
  });

  it('are kept by a schema that is not strict', async () => {
    const loose = new Schema({ text: String }, { strict: false });
    expect(await taken(castBy(loose)({ text: 'x', extra: { a: [1] } }))).toEqual({
      text: 'x',
      extra: { a: [1] },
    });
  });
});

describe('the model’s own work', () => {
  it('fills in defaults, timestamps and nothing else', async () => {
    const schema = new Schema(
      { text: String, state: { type: String, default: 'new' }, place: { x: Number }, list: [String] },
      { timestamps: { createdAt: 'made', updatedAt: 'changed' } },
    );
    const document = await taken(castBy(schema)({ text: 'x' }));
    expect(Object.keys(document).sort()).toEqual(['changed', 'list', 'made', 'state', 'text']);
    expect(document.changed).toBeInstanceOf(Date);
  });

  it('keeps a createdAt that was sent, and sets updatedAt again', async () => {
    const schema = new Schema({ text: String }, { timestamps: true });
    const old = '2020-01-01T00:00:00.000Z';
    const document = await taken(castBy(schema)({ text: 'x', createdAt: old, updatedAt: old }));
    expect(document.createdAt).toEqual(new Date(old));
    expect((document.updatedAt as Date).getTime()).toBeGreaterThan(new Date(old).getTime());
  });

  it('does not let the schema’s toObject options into the document', async () => {
    const schema = new Schema(
      { text: { type: String, get: (text: string) => `${text}!` } },
      { toObject: { getters: true, virtuals: true, transform: () => ({ hacked: true }) } },
    );
    schema.virtual('shout').get(() => 'X');
    expect(await taken(castBy(schema)({ text: 'x' }))).toEqual({ text: 'x' });
  });

  it('takes a discriminator’s fields', async () => {
    const base = new mongoose.Mongoose().model(
      'Event',
      new Schema({ at: Date }, { discriminatorKey: 'kind' }),
    );
    base.discriminator('Click', new Schema({ x: Number }));
    const cast = castWith(base as unknown as AnyModel);
    expect(await taken(cast({ kind: 'Click', x: 1 }))).toEqual({
      kind: 'Click',
      x: 1,
    });
    expect((await refused(cast({ kind: 'Click', y: 1 }))).code).toBe('unknown_field');
  });

  it('validates the id that the document will have', async () => {
    const schema = new Schema({ _id: { type: String, required: true, match: /^[a-z]+$/ }, text: String });
    expect(await taken(castBy(schema)({ text: 'x' }, 'abc'))).toEqual({ text: 'x' });
    expect((await refused(castBy(schema)({ text: 'x' }, 'ABC'))).message).toContain('data._id');
  });

  it('runs validate hooks', async () => {
    const schema = new Schema({ text: String, slug: String });
    schema.pre('validate', function () {
      this.set('slug', String(this.get('text')).toLowerCase());
    });
    expect(await taken(castBy(schema)({ text: 'ABC' }))).toEqual({ text: 'ABC', slug: 'abc' });
  });
});
