import fc from 'fast-check';
import { formatHlc, ZERO_VERSION } from 'nest-offline-sync-protocol';
import type { HeadRecord } from '../log/records';
import { LogRun, type LogFault } from './log-run';

interface Step {
  readonly version: string;
  readonly seq: number;
}

const at = (n: number): string => formatHlc({ ms: 1_770_000_000_000 + n, counter: 0, node: 'a' });
const step = (seq: number): Step => ({ version: at(seq * 2), seq });
const log = fc
  .record({
    seq: fc.integer({ min: 1, max: 40 }),
    trimmed: fc.nat({ max: 40 }),
    page: fc.integer({ min: 1, max: 15 }),
  })
  .map(({ seq, trimmed, page }) => {
    const floorSeq = Math.min(trimmed, seq);
    const floor = floorSeq === 0 ? ZERO_VERSION : at(floorSeq * 2);
    const head: HeadRecord = { _id: 's', version: at(seq * 2), seq, floor, floorSeq };
    // What is below the floor may be there still.
    return { head, entries: Array.from({ length: seq }, (_, n) => step(n + 1)), page };
  });

/** The whole run, as the pages of a database give it. */
function follow(head: HeadRecord | null, entries: readonly Step[], page: number): LogFault | undefined {
  const run = new LogRun();
  const sorted = [...entries].sort((a, b) => (a.version < b.version ? -1 : 1));
  for (;;) {
    const after = run.after(head);
    const rows = sorted.filter(({ version }) => version > after).slice(0, page);
    const fault = run.take(head, rows, rows.length < page);
    if (fault !== undefined || rows.length < page) return fault;
  }
}

describe('a run through a log', () => {
  it('finds nothing in a log that is whole from its floor on, also where the floor was raised past its end', () => {
    fc.assert(
      fc.property(log, ({ head, entries, page }) => {
        expect(follow(head, entries, page)).toBeUndefined();
        expect(follow(head, entries.slice(head.floorSeq), page)).toBeUndefined();
        const raised = {
          ...head,
          version: at(999),
          seq: head.seq + 1,
          floor: at(999),
          floorSeq: head.seq + 1,
        };
        expect(follow(raised, entries, page)).toBeUndefined();
        expect(follow(null, [], page)).toBeUndefined();
      }),
    );
  });

  it('finds an entry that is missing, one that is out of order, and a head that does not fit', () => {
    fc.assert(
      fc.property(log, fc.nat(), ({ head, entries, page }, random) => {
        expect(follow(null, entries, page)).toBe('no head');
        for (const bad of [{ version: 'x' }, { floor: '' }, { floor: at(999) }, { floorSeq: head.seq + 1 }])
          expect(follow({ ...head, ...bad }, entries, page)).toBe('bad head');
        expect(follow({ ...head, seq: head.seq + 1 }, entries, page)).toBe('not in order');
        const above = entries.slice(head.floorSeq);
        fc.pre(above.length > 1);
        const hole = random % above.length;
        const holed = [...above.slice(0, hole), ...above.slice(hole + 1)];
        expect(follow(head, holed, page)).toBe('not in order');
        const [one, two] = [above[0]!, above[1]!];
        const swapped = [{ ...one, seq: two.seq }, { ...two, seq: one.seq }, ...above.slice(2)];
        expect(follow(head, swapped, page)).toBe('not in order');
        const before = step(head.seq - 1);
        expect(follow({ ...head, ...before }, entries, page)).toBe('head behind');
      }),
    );
  });

  it('goes on from a floor that was raised between two pages', () => {
    const entries = Array.from({ length: 10 }, (_, n) => step(n + 1));
    const head: HeadRecord = { _id: 's', version: at(20), seq: 10, floor: ZERO_VERSION, floorSeq: 0 };
    const run = new LogRun();
    expect(run.take(head, (run.after(head), entries.slice(0, 3)), false)).toBeUndefined();
    const trimmed = { ...head, floor: at(12), floorSeq: 6 };
    expect(run.after(trimmed)).toBe(at(12));
    expect(run.take(trimmed, entries.slice(6), true)).toBeUndefined();
  });
});
