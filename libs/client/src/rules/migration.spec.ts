import fc from 'fast-check';
import type { Json, JsonObject, PatchBody } from 'nest-offline-sync-protocol';
import { runs } from '../../../../test/support/runs.ts';
import { EMPTY_PATCH, patched } from './fields.ts';
import { raised, raisedMutation, type Step } from './migration.ts';
import type { Mutation } from './mutation.ts';

/** Steps as apps write them: they leave alone what has the new shape. */
const STEPS: Readonly<Record<string, Step>> = {
  nothing: (doc) => doc,
  'a default': (doc) => ({ ...doc, unit: doc['unit'] ?? 'pc' }),
  'another name': ({ title, ...doc }) => (title === undefined ? doc : { name: title, ...doc }),
  'a count with another name': ({ n, ...doc }) => (n === undefined ? doc : { count: n, ...doc }),
  'another unit': ({ n, ...doc }) =>
    typeof n === 'number' ? { cents: n * 100, ...doc } : { ...doc, ...(n === undefined ? {} : { n }) },
  'into an object': ({ title, tags, ...doc }) => ({
    ...doc,
    ...(title === undefined && tags === undefined
      ? {}
      : { about: { ...(title === undefined ? {} : { title }), ...(tags === undefined ? {} : { tags }) } }),
  }),
  'a field less': ({ old: _, ...doc }) => doc,
};

const text = fc.constantFrom<Json>('a', 'b', null);
const document = fc.record(
  {
    title: text,
    n: fc.nat({ max: 3 }),
    old: text,
    tags: fc.array(fc.constantFrom('x', 'y'), { maxLength: 2 }),
    foreign: fc.record({ deep: text }, { noNullPrototype: true }),
  },
  { requiredKeys: [], noNullPrototype: true },
) as fc.Arbitrary<JsonObject>;
const part = fc.oneof(
  fc.record({
    set: fc.dictionary(fc.constantFrom('title', 'old', 'new', 'foreign.deep'), text, {
      minKeys: 1,
      noNullPrototype: true,
    }),
  }),
  fc.constantFrom<Partial<PatchBody>>(
    { unset: ['title'] },
    { unset: ['old', 'title'] },
    { inc: { n: 2 } },
    { inc: { n: -1 } },
  ),
  fc.constantFrom<Partial<PatchBody>>({ add: { tags: ['z'] } }, { remove: { tags: ['x'] } }),
);
const patch = fc.tuple(part, part).map(([one, other]): PatchBody => ({
  ...EMPTY_PATCH,
  ...one,
  ...('set' in one && 'unset' in other ? {} : 'set' in other && 'unset' in one ? {} : other),
}));
const laid = (data: JsonObject, change: PatchBody): JsonObject => {
  const made = patched(data, change);
  if (!made.ok) throw new Error(made.problem);
  return made.data;
};
const waiting = (before: JsonObject, change: PatchBody): Mutation => ({
  ...{
    seq: 1,
    id: 'm',
    collection: 'c',
    doc: 'd',
    parent: null,
    editedAt: 0,
    seen: null,
    state: 'waiting',
    returns: 0,
  },
  change: { operation: 'patch', patch: change },
  before,
  after: laid(before, change),
});

it.each(Object.keys(STEPS))(
  'after a step (%s) an edit does what it did before, or says that it cannot',
  (name) => {
    const raise: Step = (data) => raised(data, { steps: [[2, STEPS[name]!]] });
    fc.assert(
      fc.property(document, patch, (before, change) => {
        let made: Mutation;
        try {
          made = raisedMutation(waiting(before, change), raise, before);
        } catch (error) {
          // A field that the new shape does not have.
          expect(String(error)).toMatch('no place');
          expect(name).toMatch(/a field less|a default/);
          return;
        }
        expect(made.before).toEqual(raise(before));
        expect(made.after).toEqual(raise(laid(before, change)));
        const { patch: now } = made.change as { patch: PatchBody };
        expect(laid(raise(before), now)).toEqual(made.after);
        // Counts stay counts, lists stay lists, whatever the step did to them.
        expect(Object.keys(now.inc)).toHaveLength(Object.keys(change.inc).length);
      }),
      runs(200),
    );
  },
);

it('counts go on to add up with those of others', () => {
  for (const name of ['a count with another name', 'another unit']) {
    const raise: Step = (data) => raised(data, { steps: [[2, STEPS[name]!]] });
    const { change } = raisedMutation(waiting({ n: 1 }, { ...EMPTY_PATCH, inc: { n: 2 } }), raise, { n: 1 });
    const { patch: now } = change as { patch: PatchBody };
    expect(laid(raise({ n: 40, title: 'of another' }), now)).toEqual(raise({ n: 42, title: 'of another' }));
  }
});

it('sets what was set to the same value, under its new name', () => {
  const raise: Step = (data) => raised(data, { steps: [[2, STEPS['another name']!]] });
  const { change } = raisedMutation(
    waiting({ title: 'a' }, { ...EMPTY_PATCH, set: { title: 'a' } }),
    raise,
    null,
  );
  expect(change).toEqual({ operation: 'patch', patch: { ...EMPTY_PATCH, set: { name: 'a' } } });
});

it.each([
  ['nothing', () => undefined],
  ['a promise', async (doc: JsonObject) => doc],
  ['a list', () => []],
  ['text', () => 'doc'],
])('takes %s for no document', (_, step) => {
  expect(() => raised({ a: 1 }, { steps: [[2, step as never]] })).toThrow('version 2');
});

it('never changes what it is given', () => {
  const data = Object.freeze({ a: 1 });
  const step: Step = (doc) => Object.assign(doc, { b: 2 });
  expect(raised(data, { steps: [[2, step]] })).toEqual({ a: 1, b: 2 });
});
