import assert from 'node:assert';
import fc from 'fast-check';
import { formatHlc, ZERO_VERSION } from 'nest-offline-sync-protocol';
import { runs } from '../../../../test/support/runs';
import {
  planDeletion,
  planRaise,
  removableUpTo,
  TrimMemory,
  type TrimRules,
  type TrimState,
} from './trim-plan';

const GRACE = 100;
const fresh: TrimState = { seq: 50, floorSeq: 0, floorAt: undefined, clearedSeq: 0 };

describe('planRaise', () => {
  const raise = (rules: Partial<TrimRules>, state: Partial<TrimState> = {}) =>
    planRaise({ ...fresh, ...state }, { oldestYoung: 'unlimited', maxEntries: undefined, ...rules });

  it('lets the entries before the oldest young one go', () => {
    expect(raise({ oldestYoung: 21 })).toEqual({ kind: 'raise', to: 20 });
  });

  it('lets the whole log go when every entry is too old', () => {
    expect(raise({ oldestYoung: 'none' })).toEqual({ kind: 'raise', to: 50 });
  });

  it('keeps at most maxEntries, however young they are', () => {
    expect(raise({ oldestYoung: 11, maxEntries: 30 })).toEqual({ kind: 'raise', to: 20 });
    expect(raise({ oldestYoung: 31, maxEntries: 30 })).toEqual({ kind: 'raise', to: 30 });
    expect(raise({ maxEntries: 30 })).toEqual({ kind: 'raise', to: 20 });
    expect(raise({ maxEntries: 50 })).toEqual({ kind: 'nothing' });
  });

  it('never lowers the floor, and leaves it alone when nothing is due', () => {
    expect(raise({ oldestYoung: 11 }, { floorSeq: 30 })).toEqual({ kind: 'nothing' });
    expect(raise({ oldestYoung: 1 })).toEqual({ kind: 'nothing' });
    expect(raise({})).toEqual({ kind: 'nothing' });
  });
});

describe('planDeletion', () => {
  it('waits for the grace period to its last millisecond', () => {
    const state = { ...fresh, floorSeq: 20, floorAt: 1000 };
    expect(planDeletion(state, 1099, GRACE)).toEqual({ kind: 'wait', ms: 1 });
    expect(planDeletion(state, 1100, GRACE)).toEqual({ kind: 'delete', upTo: 20 });
  });

  it('has nothing to do where all is deleted, or where no time is known', () => {
    expect(planDeletion({ ...fresh, floorSeq: 20, floorAt: 0, clearedSeq: 20 }, 9999, GRACE).kind).toBe(
      'nothing',
    );
    expect(planDeletion({ ...fresh, floorSeq: 20 }, 9999, GRACE).kind).toBe('nothing');
  });
});

/** One scope's log in memory, with two trimming processes that act on what they once read. */
class Model {
  now = 10_000;
  seq = 0;
  floorSeq = 0;
  floorAt: number | undefined;
  entries = new Map<number, number>();
  readers: { since: number; startedAt: number }[] = [];
  processes = [0, 1].map(() => ({ clearedSeq: 0, read: undefined as TrimState | undefined }));

  constructor(
    private readonly ttl: number,
    private readonly maxEntries: number | undefined,
  ) {}

  /** @param skew how far the writing process's clock is off */
  append(skew: number): void {
    this.entries.set(++this.seq, this.now + skew);
  }

  startReader(): void {
    this.readers.push({ since: this.floorSeq, startedAt: this.now });
  }

  read(process: number): void {
    const { seq, floorSeq, floorAt } = this;
    const own = this.processes[process]!;
    own.read = { seq, floorSeq, floorAt, clearedSeq: own.clearedSeq };
  }

  act(process: number): void {
    const own = this.processes[process]!;
    if (!own.read) return;
    const deletion = planDeletion(own.read, this.now, GRACE);
    if (deletion.kind === 'delete') {
      this.delete(deletion.upTo);
      own.clearedSeq = deletion.upTo;
    } else if (deletion.kind === 'nothing') {
      const raise = planRaise(own.read, {
        oldestYoung: this.oldestYoung(own.read),
        maxEntries: this.maxEntries,
      });
      if (raise.kind === 'raise') this.raise(own.read, raise.to);
    }
    own.read = undefined;
  }

  /** A whole run with nothing in between. */
  run(process: number): void {
    this.read(process);
    this.act(process);
  }

  private oldestYoung(read: TrimState): number | 'none' {
    for (let seq = read.floorSeq + 1; seq <= read.seq; seq++) {
      const at = this.entries.get(seq);
      if (at !== undefined && at >= this.now - this.ttl) return seq;
    }
    return 'none';
  }

  private raise(read: TrimState, to: number): void {
    assert(to > read.floorSeq, 'the floor only rises');
    assert(to <= this.seq, 'the floor is never above the head');
    // The guard of the update: what another process did meanwhile wins.
    if (this.floorSeq !== read.floorSeq) return;
    assert(this.entries.has(to), 'the floor was an entry');
    for (let seq = read.floorSeq + 1; seq <= to; seq++) this.expectMayGo(seq, read);
    this.floorSeq = to;
    this.floorAt = this.now;
  }

  /** Everything raised over is too old, over the count, or before an entry that is. */
  private expectMayGo(seq: number, read: TrimState): void {
    const old = this.entries.get(seq)! < this.now - this.ttl;
    assert(old || seq <= read.seq - (this.maxEntries ?? Infinity), 'nothing young goes');
  }

  private delete(upTo: number): void {
    assert(upTo <= this.floorSeq, 'the floor comes first');
    for (const seq of [...this.entries.keys()].filter((seq) => seq <= upTo)) this.entries.delete(seq);
    for (const reader of this.readers)
      assert(this.now - reader.startedAt >= GRACE || reader.since >= upTo, 'no reader loses its place');
  }

  /** What is left is everything from some seq on: no hole, and nothing above the floor is missing. */
  check(): void {
    const kept = [...this.entries.keys()];
    assert(
      kept.every((seq, index) => seq === kept[0]! + index),
      'no hole',
    );
    assert(this.seq - kept.length <= this.floorSeq, 'nothing above the floor is missing');
  }

  settle(): void {
    for (let round = 0; round < 6; round++) {
      this.now += GRACE;
      this.run(0);
    }
  }
}

const step = (kind: 'read' | 'act' | 'run') =>
  fc.record({ kind: fc.constant(kind), value: fc.nat({ max: 1 }) });
const command = fc.oneof(
  fc.record({ kind: fc.constant('append' as const), value: fc.integer({ min: -20, max: 20 }) }),
  fc.record({ kind: fc.constant('advance' as const), value: fc.integer({ min: 1, max: 60 }) }),
  fc.record({ kind: fc.constant('reader' as const), value: fc.constant(0) }),
  step('read'),
  step('act'),
  { arbitrary: step('run'), weight: 3 },
);
const manyCommands = fc.array(command, { maxLength: 150 });

describe('trimming, in any order of two processes', () => {
  it('removes a prefix of old entries, floor first, and never under a reader', () => {
    fc.assert(
      fc.property(
        manyCommands,
        fc.integer({ min: 50, max: 300 }),
        fc.option(fc.integer({ min: 1, max: 10 }), { nil: undefined }),
        (commands, ttl, maxEntries) => {
          const model = new Model(ttl, maxEntries);
          for (const { kind, value } of commands) {
            if (kind === 'append') model.append(value);
            else if (kind === 'advance') model.now += value;
            else if (kind === 'reader') model.startReader();
            else model[kind](value);
            model.check();
          }
        },
      ),
      runs(1000),
    );
  });

  it('gets to the end: in a quiet scope nothing outlives its time by more than the grace', () => {
    fc.assert(
      fc.property(manyCommands, (commands) => {
        const model = new Model(50, undefined);
        for (const { kind, value } of commands) {
          if (kind === 'append') model.append(value);
          else if (kind === 'advance') model.now += value;
          else if (kind !== 'reader') model[kind](value);
        }
        model.settle();
        expect(model.entries.size).toBe(0);
        expect(model.floorSeq).toBe(model.seq);
      }),
    );
  });
});

it('deletes in a scope that never stops writing', () => {
  const model = new Model(50, undefined);
  for (let step = 0; step < 100; step++) {
    model.append(0);
    model.now += 10;
    model.run(0);
    model.check();
  }
  // 5 entries live, 10 a grace period: a floor that moves with each run would let nothing go.
  expect(model.entries.size).toBeLessThan(40);
});

const HOUR_MS = 3_600_000;
const NOW = 1_777_000_000_000;

const versionAt = (ms: number): string => formatHlc({ ms: NOW + ms, counter: 3, node: 'n' });

describe('removableUpTo', () => {
  it('is the floor, or the end of what is old enough: every version up to it is below both', () => {
    expect(removableUpTo(versionAt(5), NOW + 6)).toBe(versionAt(5));
    for (const ms of [0, 1, 2, 3])
      expect([ms, versionAt(ms) <= removableUpTo(versionAt(9), NOW + 2)]).toEqual([ms, ms < 2]);
  });

  it('lets nothing go where nothing is below the floor, or nothing can be so old', () => {
    for (const upTo of [removableUpTo(ZERO_VERSION, NOW), removableUpTo(versionAt(1), NOW - 1e18)])
      expect(versionAt(-NOW + 1) <= upTo).toBe(false);
  });
});

describe('TrimMemory', () => {
  it('knows nothing of a scope at first: it has to be looked at', () => {
    const memory = new TrimMemory();
    expect(memory.mayHaveExpired('a', NOW)).toBe(true);
    expect(memory.clearedSeq('a')).toBe(0);
  });

  it('lets a scope alone until its oldest entry becomes too old, and for at most an hour', () => {
    const memory = new TrimMemory();
    memory.oldestExpires('soon', NOW + 60_000, NOW);
    memory.oldestExpires('late', NOW + 30 * HOUR_MS, NOW);
    expect([NOW + 59_999, NOW + 60_000].map((now) => memory.mayHaveExpired('soon', now))).toEqual([
      false,
      true,
    ]);
    expect([NOW + HOUR_MS - 1, NOW + HOUR_MS].map((now) => memory.mayHaveExpired('late', now))).toEqual([
      false,
      true,
    ]);
    expect(memory.mayHaveExpired('another', NOW)).toBe(true);
  });

  it('looks again at once at a scope of which no entry stays', () => {
    const memory = new TrimMemory();
    memory.oldestExpires('a', NOW + HOUR_MS, NOW);
    memory.oldestExpires('a', undefined, NOW);
    expect(memory.mayHaveExpired('a', NOW)).toBe(true);
  });

  it('keeps what was deleted and when to look apart', () => {
    const memory = new TrimMemory();
    memory.cleared('a', 7);
    memory.oldestExpires('a', NOW + 60_000, NOW);
    expect(memory.clearedSeq('a')).toBe(7);
    memory.cleared('a', 9);
    expect(memory.mayHaveExpired('a', NOW)).toBe(false);
    expect([memory.clearedSeq('a'), memory.clearedSeq('b')]).toEqual([9, 0]);
    memory.cleared('b', 2);
    expect(memory.mayHaveExpired('b', NOW)).toBe(true);
  });

  it('lets a scope alone until its oldest tombstone is due, or one that can have come since', () => {
    const memory = new TrimMemory();
    expect(memory.mayHaveTombstones('a', ZERO_VERSION)).toBe(true);
    memory.oldestTombstone('a', versionAt(5));
    expect([4, 5, 6].map((n) => memory.mayHaveTombstones('a', versionAt(n)))).toEqual([false, true, true]);
    memory.oldestTombstone('a', { above: versionAt(7) });
    expect([6, 7, 8].map((n) => memory.mayHaveTombstones('a', versionAt(n)))).toEqual([false, false, true]);
    memory.cleared('a', 9);
    expect(memory.mayHaveTombstones('a', versionAt(7))).toBe(false);
  });

  it('holds a hundred thousand scopes and no more, and forgets none while it only updates them', () => {
    const memory = new TrimMemory();
    for (let scope = 1; scope <= 100_000; scope += 1) memory.cleared(String(scope), scope);
    memory.cleared('5', 6);
    expect([memory.clearedSeq('1'), memory.clearedSeq('5')]).toEqual([1, 6]);
    memory.cleared('one more', 8);
    expect([memory.clearedSeq('1'), memory.clearedSeq('one more')]).toEqual([0, 8]);
  });
});
