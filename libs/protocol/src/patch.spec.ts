import { MAX_PATCH_PATHS, MAX_PATCH_VALUES, parsePatch } from './patch.ts';
import { parsePushRequest } from './push.ts';

const parsed = (raw: Record<string, unknown>) => parsePatch(raw, true);

/** `code field`, or `ok`. */
function told(raw: Record<string, unknown>, hasMutation = true): string {
  const result = parsePatch(raw, hasMutation);
  return result.ok ? 'ok' : `${result.code} ${result.field}`.trim();
}

describe('a patch', () => {
  it('has five parts, each of which may be missing', () => {
    expect(parsed({ data: { a: 1 } })).toEqual({
      ok: true,
      patch: { set: { a: 1 }, unset: [], inc: {}, add: {}, remove: {} },
    });
    const all = {
      data: { 'a.b': null },
      unset: ['z', 'y'],
      inc: { n: -1.5 },
      add: { t: [1] },
      remove: { u: [] },
    };
    expect(parsed(all)).toEqual({
      ok: true,
      patch: { set: all.data, unset: ['y', 'z'], inc: all.inc, add: all.add, remove: all.remove },
    });
    expect(told({ data: null, unset: null, inc: { n: 0 }, add: null, remove: null })).toBe('ok');
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['nothing', {}, 'invalid_patch'],
    ['empty parts', { data: {}, unset: [], inc: {}, add: {}, remove: {} }, 'invalid_patch'],
    ['a list of fields to set', { data: ['a'] }, 'invalid_patch .data'],
    ['a text of fields to remove', { unset: 'a' }, 'invalid_patch .unset'],
    ['an object of fields to remove', { unset: { a: '' } }, 'invalid_patch .unset'],
    ['numbers of fields to remove', { unset: [1] }, 'invalid_patch .unset'],
    ['a number to add to nothing', { inc: 1 }, 'invalid_patch .inc'],
    ['a text to add', { inc: { n: '1' } }, 'invalid_patch .inc["n"]'],
    ['a text that is no number', { inc: { n: 'NaN' } }, 'invalid_patch .inc["n"]'],
    ['null to add', { inc: { n: null } }, 'invalid_patch .inc["n"]'],
    ['a boolean to add', { inc: { n: true } }, 'invalid_patch .inc["n"]'],
    ['what JSON makes of 1e999', { inc: JSON.parse('{"n":1e999}') as object }, 'unsafe_number .inc["n"]'],
    ['a number beyond 2^53', { inc: { n: -(2 ** 53) } }, 'unsafe_number .inc["n"]'],
    ['a value instead of values', { add: { t: 'x' } }, 'invalid_patch .add["t"]'],
    ['an object instead of values', { remove: { t: {} } }, 'invalid_patch .remove["t"]'],
    ['an empty path', { data: { '': 1 } }, 'invalid_patch .data[""]'],
    ['a path that ends with a dot', { unset: ['a.'] }, 'invalid_patch .unset["a."]'],
    ['a path with two dots', { inc: { 'a..b': 1 } }, 'invalid_patch .inc["a..b"]'],
    ['the place of an element', { data: { 'a.0': 1 } }, 'invalid_patch .data["a.0"]'],
    ['a path through an element', { data: { 'a.0.b': 1 } }, 'invalid_patch .data["a.0.b"]'],
    ['a number as a name', { data: { 12: 1 } }, 'invalid_patch .data["12"]'],
    ['a field to set and to remove', { data: { a: 1 }, unset: ['a'] }, 'invalid_patch .unset["a"]'],
    ['a field to set and to add to', { data: { a: 1 }, inc: { a: 1 } }, 'invalid_patch .inc["a"]'],
    [
      'a list to add to and to remove from',
      { add: { a: [] }, remove: { a: [] } },
      'invalid_patch .remove["a"]',
    ],
    ['a field to remove twice', { unset: ['a', 'a'] }, 'invalid_patch .unset["a"]'],
    ['a field and one inside of it', { data: { a: {}, 'a.b': 1 } }, 'invalid_patch .data["a.b"]'],
    ['a field and one around it', { data: { 'a.b.c': 1 }, unset: ['a'] }, 'invalid_patch .unset["a"]'],
    [
      'too many fields',
      { unset: Array.from({ length: MAX_PATCH_PATHS + 1 }, (_, at) => `f${String(at)}`) },
      'invalid_patch',
    ],
    ['too many values', { add: { a: Array(MAX_PATCH_VALUES).fill(1), b: [1] } }, 'invalid_patch .add["b"]'],
    ['100,000 values', { add: { a: Array(100_000).fill(1) } }, 'invalid_patch .add["a"]'],
    ['a path of 2 kB', { unset: ['é'.repeat(1000)] }, `invalid_patch .unset["${'é'.repeat(60)}…"]`],
  ])('of %s is refused, and says where', (_, raw, expected) => {
    expect(told(raw)).toBe(expected);
  });

  it('may name fields of other objects that begin alike', () => {
    expect(told({ data: { ab: 1, 'a.b': 1, 'a.bc': 1 }, unset: ['a.c', 'abc'] })).toBe('ok');
  });

  it('that adds or removes needs a mutation id, one that sets does not', () => {
    for (const part of [{ inc: { n: 1 } }, { add: { t: [1] } }, { remove: { t: [] } }])
      expect(told({ data: { a: 1 }, ...part }, false)).toBe('mutation_id_required .mutation_id');
    expect(told({ data: { a: 1 }, unset: ['b'] }, false)).toBe('ok');
  });

  it('is carried by a change, and a bad one refuses that change alone', () => {
    const change = { collection: 'c', operation: 'patch', doc_id: 'd', data: { a: 1 } };
    const { changes } = parsePushRequest(
      { client_id: 'x', changes: [change, { ...change, inc: { n: 'x' }, mutation_id: 'm' }, change] },
      10,
    );
    const patch = { set: { a: 1 }, unset: [], inc: {}, add: {}, remove: {} };
    expect(changes).toMatchObject([
      { ok: true, change: { operation: 'patch', data: patch, patch } },
      {
        ok: false,
        mutation_id: 'm',
        rejection: { code: 'invalid_patch', message: 'changes[1].inc["n"] must be a number.' },
      },
      { ok: true },
    ]);
  });
});
