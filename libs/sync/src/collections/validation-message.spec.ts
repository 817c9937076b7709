import mongoose from 'mongoose';
import type { JsonObject } from 'nest-offline-sync-protocol';
import { castBy, refused } from '../../../../test/support/schema-cast';

const { Schema, mongo } = mongoose;

describe('why a document is refused', () => {
  const schema = new Schema({
    title: { type: String, required: [true, 'Give the task a title'] },
    state: { type: String, enum: ['open', 'done'] },
    qty: { type: Number, min: 3, max: 9 },
    code: { type: String, match: /^\d+$/, minlength: 2, maxlength: 4 },
    due: { type: Date, min: new Date('2026-01-01T00:00:00Z') },
    even: { type: Number, validate: { validator: (n: number) => n % 2 === 0, message: 'has to be even' } },
    odd: { type: Number, validate: { validator: (n: number) => n % 2 === 1, message: '{VALUE} is not odd' } },
    made: {
      type: Number,
      validate: { validator: () => false, message: (p: { value: unknown }) => `no ${String(p.value)}` },
    },
    bare: { type: String, validate: () => false },
    failing: { type: String, validate: () => Promise.reject(new Error('secret of the validator')) },
    worded: {
      type: String,
      validate: {
        validator: () => Promise.reject(new Error('secret of the validator')),
        message: 'is taken',
      },
    },
    lines: [{ qty: { type: Number, min: 1 } }],
  });
  const title = 'x';

  it.each<[JsonObject, string]>([
    [{}, 'data.title: Give the task a title.'],
    [{ title, state: 'secret' }, 'data.state: must be one of: open, done.'],
    [{ title, qty: 1 }, 'data.qty: must not be below 3.'],
    [{ title, qty: 10 }, 'data.qty: must not be above 9.'],
    [{ title, code: '1' }, 'data.code: must have at least 2 characters.'],
    [{ title, code: '12345' }, 'data.code: must have at most 4 characters.'],
    [{ title, code: 'sec' }, 'data.code: does not have the format that is asked for.'],
    [{ title, due: '2020-01-01T00:00:00Z' }, 'data.due: must not be below 2026-01-01T00:00:00.000Z.'],
    [{ title, even: 3 }, 'data.even: has to be even.'],
    [{ title, odd: 4 }, 'data.odd: is not valid.'],
    [{ title, made: 4 }, 'data.made: is not valid.'],
    [{ title, bare: 'secret' }, 'data.bare: is not valid.'],
    [{ title, failing: 'secret' }, 'data.failing: is not valid.'],
    [{ title, worded: 'secret' }, 'data.worded: is not valid.'],
    [{ title, qty: 'secret' }, 'data.qty: cannot be taken as Number.'],
    [{ title, lines: [{ qty: 2 }, { qty: 0 }] }, 'data.lines[1].qty: must not be below 1.'],
  ])('%j', async (data, message) => {
    expect(await refused(castBy(schema)(data))).toEqual({ code: 'validation_failed', message });
  });

  it('names a few of many problems', async () => {
    const rejection = await refused(
      castBy(schema)({ title, lines: Array.from({ length: 50 }, () => ({ qty: 0 })) }),
    );
    expect(rejection.message).toMatch(/; and 45 more\.$/);
  });

  it('tells a wrong type before a rule that fails because of it', async () => {
    const number = new Schema({ qty: { type: Number, required: true } });
    expect((await refused(castBy(number)({ qty: '' }))).message).toContain('data.qty: must be of the field');
  });

  it('a hook that throws refuses without its text, and is reported', async () => {
    const hooked = new Schema({ text: String });
    hooked.pre('validate', () => {
      throw new TypeError('secret');
    });
    const throwing = castBy(hooked);
    const rejection = await refused(throwing({ text: 'x' }));
    expect(rejection.code).toBe('validation_failed');
    expect(rejection.message).not.toContain('secret');
    expect(throwing.reported).toHaveLength(1);
  });

  it('a validator that cannot reach the database is no verdict on the data', async () => {
    const failure = new mongo.MongoNetworkError('down');
    const asking = new Schema({ text: { type: String, validate: () => Promise.reject(failure) } });
    await expect(castBy(asking)({ text: 'x' })).rejects.toBe(failure);
  });
});
