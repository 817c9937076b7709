import fc from 'fast-check';
import type { Json, JsonObject, PatchBody } from 'nest-offline-sync-protocol';
import { applyPatch } from '../../../sync/src/plan/patch.ts';
import '../../../../test/support/runs.ts';
import { EMPTY_PATCH, joined, patched, sameJson, touches } from './fields.ts';

const value: fc.Arbitrary<Json> = fc.oneof(
  fc.nat({ max: 3 }),
  fc.constantFrom('x', true, null),
  fc.array(fc.nat({ max: 3 }), { maxLength: 3 }),
  fc.record({ p: fc.nat({ max: 2 }) }, { noNullPrototype: true }),
);
const document = fc.record(
  {
    a: value,
    b: value,
    o: fc.record({ x: value, y: value }, { requiredKeys: [], noNullPrototype: true }),
  },
  { requiredKeys: [], noNullPrototype: true },
) as fc.Arbitrary<JsonObject>;
const path = fc.constantFrom('a', 'b', 'o', 'o.x', 'o.y', 'o.deep.z');

/** A patch that names no field twice, nor one inside of another. */
const patch: fc.Arbitrary<PatchBody> = fc
  .uniqueArray(
    fc.tuple(
      path,
      fc.constantFrom('set' as const, 'unset' as const, 'inc' as const, 'add' as const, 'remove' as const),
      value,
      fc.nat({ max: 3 }),
    ),
    {
      minLength: 1,
      maxLength: 3,
      selector: ([at]) => at.split('.')[0],
    },
  )
  .map((parts) => {
    const unset: string[] = [];
    const made: Record<'set' | 'inc' | 'add' | 'remove', Record<string, Json>> = {
      set: {},
      inc: {},
      add: {},
      remove: {},
    };
    for (const [at, part, set, number] of parts)
      if (part === 'unset') unset.push(at);
      else made[part][at] = part === 'set' ? set : part === 'inc' ? number : [number, number];
    return { ...made, unset } as unknown as PatchBody;
  });

it('lays a patch on a document as the server does', () => {
  fc.assert(
    fc.property(document, patch, (data, each) => {
      const [own, server] = [patched(data, each), applyPatch(each, { stored: data, wire: data })];
      expect(own.ok).toBe(server.ok);
      if (own.ok && server.ok) expect(own.data).toEqual(server.wire);
    }),
  );
});

it('makes one patch of two only where that comes to the same', () => {
  fc.assert(
    fc.property(document, patch, patch, (data, first, second) => {
      const both = joined(first, second);
      const one = patched(data, first);
      const after = one.ok ? patched(one.data, second) : one;
      if (!both || !after.ok) return;
      const together = patched(data, both);
      expect(together.ok && sameJson(together.data, after.data)).toBe(true);
    }),
  );
});

it('never joins what sets a field inside of an object with what takes it away: the object stays', () => {
  const sets = { ...EMPTY_PATCH, set: { 'o.x': 1 } };
  expect(joined(sets, { ...EMPTY_PATCH, unset: ['o.x'] })).toBeUndefined();
  expect(joined(sets, { ...EMPTY_PATCH, unset: ['o'] })).toEqual({ ...EMPTY_PATCH, unset: ['o'] });
});

it('never joins what adds with what sets: the one may be refused, the other may not', () => {
  const sets = { ...EMPTY_PATCH, set: { a: 1 } };
  const adds = { ...EMPTY_PATCH, inc: { b: 1 } };
  expect(joined(sets, adds)).toBeUndefined();
  expect(joined(adds, sets)).toBeUndefined();
  expect(joined(adds, adds)).toEqual({ ...EMPTY_PATCH, inc: { b: 2 } });
});

it('says that a patch touches a difference exactly if it names a field that is one, or around or inside of it', () => {
  const [one, other] = [
    { a: 1, o: { x: 1, y: 1 } },
    { a: 1, o: { x: 2, y: 1 } },
  ];
  const named = (at: string) => touches({ ...EMPTY_PATCH, set: { [at]: 0 } }, one, other);
  expect(['a', 'o.y', 'b'].map(named)).toEqual([false, false, false]);
  expect(['o', 'o.x', 'o.x.deep'].map(named)).toEqual([true, true, true]);
});
