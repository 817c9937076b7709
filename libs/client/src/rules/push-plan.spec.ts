import fc from 'fast-check';
import '../../../../test/support/runs.ts';
import { EMPTY_PATCH } from './fields.ts';
import { falling } from './disposition.ts';
import type { Mutation } from './mutation.ts';
import { frozen, planPush, unitsOf, wireChanges } from './push-plan.ts';

const NOW = 1_000;
const WIDE = { changes: 1_000, bytes: 1_000_000 };
const base: Mutation = {
  seq: 1,
  id: 'm1',
  collection: 'c',
  doc: 'a',
  change: { operation: 'patch', patch: { ...EMPTY_PATCH, set: { x: 1 } } },
  before: {},
  after: { x: 1 },
  parent: null,
  editedAt: 1,
  seen: null,
  state: 'waiting',
  returns: 0,
};
/** An outbox as the rules make it: of one document at most one is sent, and what is before that is answered. */
const outbox: fc.Arbitrary<Mutation[]> = fc
  .array(
    fc.record({
      docs: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 1, maxLength: 2 }),
      state: fc.constantFrom('waiting' as const, 'sent' as const, 'answered' as const),
      parkedUntil: fc.constantFrom(undefined, undefined, undefined, NOW - 1, NOW + 1),
    }),
    { maxLength: 8 },
  )
  .map((units) => {
    const all: Mutation[] = [];
    const open = new Set<string>();
    units.forEach(({ docs, state, parkedUntil }, index) => {
      const isFree = docs.every((doc) => !open.has(doc));
      const at = isFree ? state : 'waiting';
      for (const doc of docs) if (at !== 'answered') open.add(doc);
      for (const doc of docs)
        all.push({
          ...base,
          seq: all.length + 1,
          id: `m${String(all.length + 1)}`,
          doc,
          state: at,
          ...(at === 'sent' ? { parkedUntil } : {}),
          ...(docs.length > 1 ? { tx: `t${String(index)}` } : {}),
        });
    });
    return all;
  });

it('sends each document once, in order, transactions whole, and nothing new while something is not answered', () => {
  fc.assert(
    fc.property(outbox, fc.integer({ min: 1, max: 4 }), (all, changes) => {
      const { units, isRetry } = planPush(all, { ...WIDE, changes }, NOW);
      const sent = all.filter((each) => each.state === 'sent' && !((each.parkedUntil ?? 0) > NOW));
      expect(isRetry).toBe(sent.length > 0);
      const going = units.flat();
      expect(going.every((each) => each.state === (isRetry ? 'sent' : 'waiting'))).toBe(true);
      expect(new Set(units.flatMap((unit) => [...new Set(unit.map((each) => each.doc))])).size).toBe(
        going.length,
      );
      expect(going.map((each) => each.seq)).toEqual(going.map((each) => each.seq).sort((a, b) => a - b));
      expect(units.length <= 1 || going.length <= changes).toBe(true);
      for (const unit of units) {
        const whole = unit[0]?.tx === undefined ? unit : all.filter((each) => each.tx === unit[0]?.tx);
        expect(unit).toEqual(whole);
        // Nothing of its documents is left behind it.
        for (const { doc, seq } of unit)
          expect(
            all
              .filter((each) => each.doc === doc && each.seq < seq)
              .every((each) => each.state === 'answered'),
          ).toBe(true);
      }
      // Something goes wherever something may go.
      const hasFree = unitsOf(all).some(
        (unit) =>
          unit.every(
            (each) => each.state === (isRetry ? 'sent' : 'waiting') && !((each.parkedUntil ?? 0) > NOW),
          ) &&
          unit.every(({ doc, seq }) =>
            all.every(
              (each) =>
                each.doc !== doc ||
                each.seq >= seq ||
                each.state === 'answered' ||
                (each.tx === unit[0]?.tx && each.tx !== undefined),
            ),
          ),
      );
      expect(units.length > 0).toBe(hasFree);
    }),
  );
});

it('lets fall what stands on what was refused, as plainly as can be', () => {
  fc.assert(
    fc.property(outbox, fc.nat(), (all, pick) => {
      const units = unitsOf(all);
      const refused = units[pick % Math.max(1, units.length)];
      if (!refused) return;
      const fallen = new Set(refused.map((each) => each.seq));
      for (let before = -1; before !== fallen.size;) {
        before = fallen.size;
        for (const unit of units) {
          const standsOn = unit.some((each) =>
            all.some((other) => fallen.has(other.seq) && other.doc === each.doc && other.seq < each.seq),
          );
          if (standsOn && unit.every((each) => each.state === 'waiting'))
            for (const each of unit) fallen.add(each.seq);
        }
      }
      expect(falling(refused, all).map((each) => each.seq)).toEqual([...fallen].sort((a, b) => a - b));
    }),
  );
});

describe('what is sent', () => {
  const clock = { deviceNow: NOW, offset: 0, last: null, node: 'n' };

  it('names the mutation that it stands on, and brings it along only where the server asks for it', () => {
    const parent = { ...frozen({ ...base, tx: 't' }, [base], false, clock), state: 'answered' as const };
    const child = { ...base, seq: 2, id: 'm2' };
    const sent = frozen(child, [parent, child], true, clock);
    expect(sent.sent?.change).toMatchObject({
      mutation_id: 'm2',
      parent_mutation_id: 'm1',
      return: 'document',
    });
    expect(wireChanges([[sent]], [parent, sent]).map((each) => each.mutation_id)).toEqual(['m2']);
    const asked = { ...sent, withParent: true as const };
    const [first, second] = wireChanges([[asked]], [parent, asked]);
    expect(first).toMatchObject({ mutation_id: 'm1' });
    expect(first).not.toHaveProperty('group');
    expect(second).toEqual(sent.sent?.change);
  });

  it('goes alone if it is too large for any push, so that the server can say so', () => {
    const large = { ...base, change: { operation: 'upsert' as const, data: { x: 'x'.repeat(2_000) } } };
    const small = { ...base, seq: 2, doc: 'b' };
    const limits = { changes: 10, bytes: 1_000 };
    expect(planPush([large, small], limits, NOW).units).toEqual([[large]]);
    expect(planPush([small, { ...large, seq: 3 }], limits, NOW).units).toEqual([[small]]);
  });
});
