import mongoose from 'mongoose';
import { isTooDeep, rejectionFor, RefusedWrite } from './refused-write';

const SECRET = 'dup key: { email: "ann@example.org" }';
const failure = (code: number, keyPattern: object = {}, message = SECRET) => ({
  index: 3,
  code,
  keyPattern: keyPattern as Record<string, unknown>,
  message,
});

describe('a document that the database refuses', () => {
  it.each([
    [11000, { email: 1 }, 'unique_violation'],
    [11000, { _id: 1 }, 'id_unavailable'],
    [121, {}, 'validation_failed'],
    [16755, {}, 'refused_by_database'],
    [987_654_321, {}, 'refused_by_database'],
  ])('code %d of MongoDB, key %j: %s, without the words of the server', (code, keyPattern, expected) => {
    const rejection = rejectionFor(failure(code, keyPattern));
    expect(rejection?.code).toBe(expected);
    expect(rejection?.message).not.toContain('example.org');
    expect(rejection?.message).toMatch(/again|another/);
  });

  it('is not to blame for what any document would meet', () => {
    for (const code of [112, 10107, 263, 13]) expect(rejectionFor(failure(code))).toBeUndefined();
  });

  it('is refused wherever it is tried, unless it is a matter of what else is stored', () => {
    const of = (code: number) => new RefusedWrite({ request: 0, change: 0 }, rejectionFor(failure(code))!);
    expect([121, 16755, 11000].map((code) => of(code).isOfDocument)).toEqual([true, true, false]);
  });
});

describe('isTooDeep', () => {
  const deep = (levels: number): object => (levels === 1 ? {} : { d: deep(levels - 1) });
  const { Binary, ObjectId } = mongoose.mongo;

  it('knows the 180 levels below a document that MongoDB stores', () => {
    expect(isTooDeep(deep(181))).toBe(false);
    expect(isTooDeep(deep(182))).toBe(true);
    expect(isTooDeep([[[1]]], 2)).toBe(true);
  });

  it('takes BSON’s own types for values', () => {
    const values = {
      id: new ObjectId(),
      data: new Binary(Buffer.alloc(9)),
      at: new Date(0),
      raw: Buffer.alloc(3),
    };
    expect(isTooDeep(values, 1)).toBe(false);
  });
});
