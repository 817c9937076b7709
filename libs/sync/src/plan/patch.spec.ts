import assert from 'node:assert';
import * as fc from 'fast-check';
import { mongo } from 'mongoose';
import { runs } from '../../../../test/support/runs';
import type { Json, JsonObject, PatchBody } from 'nest-offline-sync-protocol';
import { increment } from './increment';
import { applyPatch, conflictingPaths, valueAt, withoutPaths } from './patch';

const EMPTY: PatchBody = { set: {}, unset: [], inc: {}, add: {}, remove: {} };
const patchOf = (parts: Partial<PatchBody>): PatchBody => ({ ...EMPTY, ...parts });

function apply(document: JsonObject, parts: Partial<PatchBody>): JsonObject {
  const patched = applyPatch(patchOf(parts), { stored: document, wire: document });
  assert(patched.ok, patched.ok ? '' : patched.rejection.message);
  return patched.wire;
}

/** Lists as sets: the order of their elements says nothing. */
function unordered(value: Json | undefined): unknown {
  if (Array.isArray(value)) return value.map((item) => JSON.stringify(unordered(item))).sort();
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort()
      .map(([key, inner]) => [key, unordered(inner)]),
  );
}

const field = fc.constantFrom('a', 'b', 'o.x', 'o.y', 'o.deep.z');
const value: fc.Arbitrary<Json> = fc.oneof(
  fc.nat({ max: 3 }),
  fc.constantFrom('x', true, null),
  fc.record({ p: fc.nat({ max: 2 }) }, { noNullPrototype: true }),
);
const tree: fc.Arbitrary<JsonObject> = fc.record(
  {
    a: value,
    b: value,
    o: fc.record(
      { x: value, y: value, deep: fc.record({ z: value }, { requiredKeys: [], noNullPrototype: true }) },
      { requiredKeys: [], noNullPrototype: true },
    ),
    n: fc.integer({ min: -5, max: 5 }),
    list: fc.array(value, { maxLength: 4 }),
  },
  { requiredKeys: [], noNullPrototype: true },
);
/** Each device adds values of its own, or ones that nobody removes: the rest is decided by who comes later. */
const commuting = fc.record({
  inc: fc.dictionary(fc.constantFrom('n', 'm', 'o2.n'), fc.integer({ min: -1000, max: 1000 }), {
    maxKeys: 3,
  }),
  add: fc.dictionary(fc.constantFrom('list', 'o2.list'), fc.array(fc.nat({ max: 4 }), { maxLength: 4 }), {
    maxKeys: 2,
  }),
});
const removing = fc.record({
  remove: fc.dictionary(fc.constantFrom('list', 'o2.list'), fc.array(fc.integer({ min: 10, max: 14 })), {
    maxKeys: 2,
  }),
});
const setting = fc.dictionary(field, value, { maxKeys: 3 }).map((set) => ({ set }));

describe('a patch', () => {
  it('of additions and removals gives the same document in any order', () => {
    const document = fc.record({
      n: fc.integer({ min: -9, max: 9 }),
      list: fc.uniqueArray(fc.integer({ min: 0, max: 14 })),
    });
    fc.assert(
      fc.property(
        document,
        fc
          .array(fc.oneof(commuting, removing), { minLength: 1, maxLength: 6 })
          .chain((patches) =>
            fc
              .shuffledSubarray(patches, { minLength: patches.length })
              .map((shuffled) => ({ patches, shuffled })),
          ),
        (start, { patches, shuffled }) => {
          const one = patches.reduce<JsonObject>(apply, start);
          const other = shuffled.reduce<JsonObject>(apply, start);
          assert.deepStrictEqual(unordered(one), unordered(other));
        },
      ),
      runs(400),
    );
  });

  it('a second time, additions to lists and removals change nothing', () => {
    fc.assert(
      fc.property(tree, fc.array(value), fc.boolean(), (start, values, adds) => {
        const parts = adds ? { add: { list: values } } : { remove: { list: values } };
        const once = apply(start, parts);
        assert.deepStrictEqual(apply(once, parts), once);
        const list = (once['list'] ?? []) as Json[];
        for (const each of values)
          assert.equal(
            list.some((item) => JSON.stringify(item) === JSON.stringify(each)),
            adds,
          );
      }),
      runs(200),
    );
  });

  it('changes what it names, nothing else, and never the document that it was given', () => {
    fc.assert(
      fc.property(tree, setting, fc.uniqueArray(field, { maxLength: 2 }), (start, { set }, unset) => {
        const named = Object.keys(set);
        const free = unset.filter((path) => !named.some((other) => touches(path, other)));
        const copy = JSON.stringify(start);
        const patched = applyPatch(patchOf({ set, unset: free }), { stored: start, wire: start });
        assert.equal(JSON.stringify(start), copy);
        if (!patched.ok) {
          assert.equal(patched.rejection.code, 'patch_mismatch');
          return;
        }
        for (const path of named) assert.deepStrictEqual(valueAt(patched.wire, path), set[path]);
        for (const path of free) assert.equal(valueAt(patched.wire, path), undefined);
        for (const path of ['a', 'b', 'o.x', 'o.y', 'o.deep.z', 'n', 'list'])
          if (![...named, ...free].some((other) => touches(path, other)))
            assert.deepStrictEqual(valueAt(patched.wire, path), valueAt(start, path));
        for (const key of Object.keys(patched.wire))
          if (!patched.touched.has(key))
            assert.equal(JSON.stringify(patched.wire[key]), JSON.stringify(start[key]));
      }),
      runs(400),
    );
  });

  it('conflicts in the fields that another one has changed to something else, as a plain model says', () => {
    fc.assert(
      fc.property(tree, tree, setting, (base, current, { set }) => {
        const patch = patchOf({ set });
        const found = conflictingPaths(patch, base, current);
        for (const path of Object.keys(set)) {
          const [before, now, wanted] = [base, current, { [path]: set[path] }].map((from, at) =>
            JSON.stringify(at === 2 ? from[path] : valueAt(from as JsonObject, path)),
          );
          assert.equal(found.has(path), before !== now && now !== wanted);
        }
        assert.deepStrictEqual(conflictingPaths(patch, undefined, current), new Set(Object.keys(set)));
        assert.deepStrictEqual(conflictingPaths(patch, base, base), new Set());
        const rest = withoutPaths(patch, found);
        assert.deepStrictEqual(
          Object.keys(rest?.set ?? {}).sort(),
          Object.keys(set)
            .filter((path) => !found.has(path))
            .sort(),
        );
      }),
      runs(400),
    );
  });
});

describe('what is added to a number', () => {
  const { Decimal128, Long } = mongo;
  const decimal = (text: string) => Decimal128.fromString(text);
  const sum = (stored: unknown, wire: Json | undefined, by: number): Json => {
    const made = increment(stored, wire, by);
    return made.ok ? made.value : made.code;
  };

  it.each<[string, unknown, Json | undefined, number, Json]>([
    ['nothing', undefined, undefined, 5, 5],
    ['zero, with a sign', 0, 0, -0, 0],
    ['a number', 1.5, 1.5, 2, 3.5],
    ['the largest', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER],
    ['more than that', Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 1, 'unsafe_number'],
    ['less than that', -Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, -1, 'unsafe_number'],
    ['null', null, null, 1, 'patch_mismatch'],
    ['not a number', NaN, null, 1, 'patch_mismatch'],
    ['a text', '1', '1', 1, 'patch_mismatch'],
    ['a date', new Date(0), '1970-01-01T00:00:00.000Z', 1, 'patch_mismatch'],
    ['a boolean', true, true, 1, 'patch_mismatch'],
    ['a list', [1], [1], 1, 'patch_mismatch'],
    ['an object', {}, {}, 1, 'patch_mismatch'],
    ['64 bits', Long.fromString('9007199254740993'), '9007199254740993', -2, 9007199254740991],
    ['64 bits as a bigint', 9007199254740993n, '9007199254740993', 1, '9007199254740994'],
    ['the end of 64 bits', 2n ** 63n - 1n, '9223372036854775807', 1, 'unsafe_number'],
    ['64 bits and a fraction', 5n, 5, 0.5, 'patch_mismatch'],
    ['a decimal', decimal('0.1'), '0.1', 0.2, '0.3'],
    ['a decimal with zeros', decimal('12.50'), '12.50', 1, '13.50'],
    ['a decimal below zero', decimal('0.05'), '0.05', -0.1, '-0.05'],
    ['a decimal with a power', decimal('1E+3'), '1E+3', 1, '1001'],
    ['a decimal and a small number', decimal('1'), '1', 1e-7, '1.0000001'],
    ['nothing to a decimal', decimal('1E+40'), '1E+40', 0, '1E+40'],
    ['a decimal to zero', decimal('0.00'), '0.00', 3, '3'],
    ['a decimal of 34 digits', decimal('9'.repeat(34)), '9'.repeat(34), 1, 'unsafe_number'],
    ['decimals far apart', decimal('1E+400'), '1E+400', 1, 'unsafe_number'],
    ['no decimal number', decimal('NaN'), 'NaN', 1, 'patch_mismatch'],
    ['an endless decimal', decimal('Infinity'), 'Infinity', 1, 'patch_mismatch'],
  ])('%s', (_, stored, wire, by, expected) => {
    expect(sum(stored, wire, by)).toBe(expected);
  });

  it('is exact for decimals, whatever the order', () => {
    const cents = fc.integer({ min: -1_000_000, max: 1_000_000 });
    fc.assert(
      fc.property(fc.array(cents, { minLength: 1, maxLength: 8 }), (amounts) => {
        const total = (all: readonly number[]): string =>
          all.reduce((text, each) => sum(decimal(text), text, each / 100) as string, '0.00');
        const made = total(amounts);
        assert.equal(Number(made), Number((amounts.reduce((a, b) => a + b, 0) / 100).toFixed(2)));
        assert.equal(Number(total([...amounts].reverse())), Number(made));
        assert.doesNotThrow(() => decimal(made));
      }),
      runs(200),
    );
  });
});

function touches(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}.`) || other.startsWith(`${one}.`);
}
