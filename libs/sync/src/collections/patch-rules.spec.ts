import { Schema } from 'mongoose';
import type { PatchBody } from 'nest-offline-sync-protocol';
import { checkPatch, type CheckedPatch } from './patch-rules';
import { schemaFacts } from './schema-facts';

const EMPTY: PatchBody = { set: {}, unset: [], inc: {}, add: {}, remove: {} };
const limits = { maxDepth: 4, maxDocumentBytes: 200 };
const schema = new Schema({
  secret: { type: String, select: false },
  at: { door: { type: Number, select: false }, city: String },
  lines: [{ pin: { type: String, select: false }, n: Number }],
});
const facts = schemaFacts(schema, undefined, (stored) => stored);

function check(
  patch: Partial<PatchBody>,
  unknownFields: 'reject' | 'strip' = 'reject',
  schemaOf = facts as typeof facts | undefined,
): CheckedPatch {
  return checkPatch({ ...EMPTY, ...patch }, { limits, facts: schemaOf, unknownFields });
}

function told(patch: Partial<PatchBody>): string {
  const checked = check(patch, 'reject', undefined);
  return checked.ok ? 'ok' : `${checked.rejection.code}: ${checked.rejection.message.split(' ')[0] ?? ''}`;
}

describe('names and values of a patch', () => {
  it.each<[string, Partial<PatchBody>, string]>([
    ['the id', { set: { _id: 1 } }, 'forbidden_key: data._id'],
    ['the id to remove', { unset: ['_id'] }, 'forbidden_key: data._id'],
    ['a field of the engine', { inc: { _sync_version: 1 } }, 'forbidden_key: data._sync_version'],
    ['a field inside of it', { set: { '_sync_x.y': 1 } }, 'forbidden_key: data._sync_x'],
    ['an operator', { set: { $set: 1 } }, 'forbidden_key: data["$set"]'],
    ['an operator inside', { add: { 'a.$push': [] } }, 'forbidden_key: data.a["$push"]'],
    ['the prototype', { unset: ['__proto__'] }, 'forbidden_key: data.__proto__'],
    ['a path through the prototype', { unset: ['__proto__.x'] }, 'forbidden_key: data.__proto__'],
    ['a constructor inside', { unset: ['a.constructor'] }, 'forbidden_key: data.a.constructor'],
    ['a NUL', { unset: ['a\0b'] }, 'forbidden_key: data["a\\u0000b"]'],
    ['half a pair', { unset: ['\ud800'] }, 'invalid_string: data["\\ud800"]'],
    ['a bad key in a value', { set: { a: { $x: 1 } } }, 'forbidden_key: data.a["$x"]'],
    ['a bad key in an element', { add: { a: [{ 'x.y': 1 }] } }, 'forbidden_key: data.a[0]["x.y"]'],
    ['an unsafe number in an element', { remove: { a: [2 ** 53] } }, 'unsafe_number: data.a[0]'],
    ['a path that is too deep', { unset: ['a.b.c.d.e'] }, 'too_deep: data.a.b.c.d'],
    ['a value that is deep enough', { set: { 'a.b.c': { d: 1 } } }, 'ok'],
    ['a value one deeper', { set: { 'a.b.c': { d: {} } } }, 'too_deep: data.a.b.c.d'],
    ['an element that is too deep', { add: { 'a.b': [{ c: [] }] } }, 'too_deep: data.a.b[0].c'],
    ['a value that is too large', { set: { a: 'x'.repeat(200) } }, 'document_too_large: data'],
  ])('%s', (_, patch, expected) => {
    expect(told(patch)).toBe(expected);
  });

  it('hidden fields are unknown', () => {
    for (const [patch, path] of [
      [{ set: { secret: 'x' } }, 'data.secret'],
      [{ unset: ['at.door'] }, 'data.at.door'],
      [{ inc: { 'at.door': 1 } }, 'data.at.door'],
      [{ set: { at: { door: 1 } } }, 'data.at.door'],
      [{ add: { lines: [{ n: 1, pin: 'x' }] } }, 'data.lines[0].pin'],
    ] as const)
      expect(check(patch)).toMatchObject({
        rejection: { code: 'unknown_field', message: expect.stringContaining(`${path} is not`) as string },
      });
    expect(check({ set: { at: { city: 'x' } }, unset: ['lines'] })).toMatchObject({ ok: true });
  });

  it('and are left out where the collection strips them', () => {
    const patch = {
      set: { at: { door: 1, city: 'c' } },
      unset: ['secret.x', 'lines'],
      inc: { n: 1 },
      add: { tags: ['a'] },
      remove: { 'secret.y': [1] },
    };
    expect(check({ set: { secret: 1 }, inc: { n: 1 } }, 'strip')).toMatchObject({
      ok: true,
      patch: { set: {} },
    });
    expect(check(patch, 'strip')).toEqual({
      ok: true,
      patch: {
        set: { at: { city: 'c' } },
        unset: ['lines'],
        inc: { n: 1 },
        add: { tags: ['a'] },
        remove: {},
      },
    });
    expect(patch.set.at).toEqual({ door: 1, city: 'c' });
  });
});
