import fc from 'fast-check';
import { MEMORY, PushPlanner, SHARED_DOCS, type PushPlan } from './push-plan';
import { Random } from './random';

const LIMITS = { collections: 2, maxBatch: 50, flaws: true };

function plans(seed: number, count: number, limits = LIMITS): PushPlan[] {
  const planner = new PushPlanner(new Random(seed, 'w0'), limits);
  return Array.from({ length: count }, () => planner.next());
}

describe('what a writer does', () => {
  it('is the same for the same seed, and something else for another one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1 }), (seed) => {
        expect(plans(seed, 30)).toEqual(plans(seed, 30));
        expect(plans(seed, 30)).not.toEqual(plans(seed + 1, 30));
      }),
      { numRuns: 30 },
    );
  });

  it('keeps to the batch size, to documents that it made, and to what it remembers', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 50 }), (seed, maxBatch) => {
        const made = [new Set<number>(), new Set<number>()];
        let edits = 0;
        for (const { changes } of plans(seed, 100, { ...LIMITS, maxBatch })) {
          expect(changes.length).toBeGreaterThan(0);
          expect(changes.length).toBeLessThanOrEqual(maxBatch);
          const before = edits;
          for (const change of changes) {
            if (change.do === 'again') {
              expect(change.back).toBeLessThanOrEqual(Math.min(MEMORY, before));
              continue;
            }
            edits += 1;
            const own = made[change.collection]!;
            if (change.of === 'shared') expect(change.doc).toBeLessThan(SHARED_DOCS);
            else if (change.operation === 'delete') expect(own.has(change.doc)).toBe(true);
            if (change.of === 'own') own.add(change.doc);
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  it('holds each kind of push, retry and flaw within the first hundred', () => {
    const all = plans(5, 100);
    const edits = all.flatMap(({ changes }) => changes).filter((change) => change.do === 'edit');
    expect(new Set(all.map(({ atomic }) => atomic))).toEqual(new Set(['batch', 'mutation']));
    expect(all.some(({ twice }) => twice)).toBe(true);
    expect(all.some(({ changes }) => changes.some((change) => change.do === 'again'))).toBe(true);
    expect(new Set(edits.map(({ flaw }) => flaw))).toEqual(
      new Set([null, 'shape', 'clock-ahead', 'unknown-collection', 'too-large']),
    );
    expect(new Set(edits.map(({ parent }) => parent))).toEqual(new Set(['known', 'none', 'first']));
    expect(Math.max(...all.map(({ changes }) => changes.length))).toBeGreaterThan(12);
  });

  it('has no flaws where none are wanted', () => {
    const edits = plans(5, 300, { ...LIMITS, flaws: false }).flatMap(({ changes }) => changes);
    expect(edits.every((change) => change.do === 'again' || change.flaw === null)).toBe(true);
  });
});
