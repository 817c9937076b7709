import assert from 'node:assert';
import * as fc from 'fast-check';
import { formatHlc, ZERO_VERSION } from 'nest-offline-sync-protocol';
import { runs } from '../../../../test/support/runs';
import { ScopeLog, type OpenRead } from '../../../../test/support/scope-log';
import { planDeletion, planRaise } from '../retention/trim-plan';

const COLLECTIONS = ['tasks', 'notes', 'orders'];
const collection = fc.constantFrom(...COLLECTIONS);
const asked = fc
  .uniqueArray(collection, { minLength: 1, maxLength: 3 })
  .map((names): ReadonlySet<string> => new Set(names));
const reader = fc.nat({ max: 2 });

/** How long a floor stands before what is below it goes, and how long a read may take. Milliseconds. */
const GRACE = 100;
const READ_LIMIT = 99;

type Step =
  | { readonly do: 'write'; readonly collection: string; readonly step: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'trim'; readonly keep: number }
  | { readonly do: 'begin'; readonly reader: number; readonly limit: number }
  | { readonly do: 'finish'; readonly reader: number; readonly cut: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('write' as const), collection, step: fc.nat({ max: 1 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 60 }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('trim' as const), keep: fc.nat({ max: 5 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('begin' as const),
      reader,
      limit: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('finish' as const), reader, cut: fc.constantFrom(1, 2, 99, 99) }),
  },
);

/** A client that follows `last_seq`, and loads everything again when it is told to. */
class Reader {
  cursor: string | undefined;
  /** What it has since it last loaded everything: up to here by that, and these by pulls. */
  loadedSeq = 0;
  seen: number[] = [];
  resyncs = 0;
  private read: { readonly open: OpenRead; readonly at: number } | undefined;

  constructor(
    private readonly log: ScopeLog,
    private readonly asked: ReadonlySet<string>,
  ) {}

  begin(limit: number, now: number): void {
    if (this.read) this.log.abandon(this.read.open);
    this.read = { open: this.log.begin(this.cursor, this.asked, limit), at: now };
  }

  /** @returns whether there is more */
  finish(cut: number, now: number): boolean {
    const { read, log } = this;
    this.read = undefined;
    if (!read) return false;
    // The database ends a read that takes too long.
    if (now - read.at > READ_LIMIT) {
      log.abandon(read.open);
      return true;
    }
    const { since, head, floorSeq } = read.open;
    const page = log.finish(read.open, cut);
    const at = since === undefined ? 0 : log.seqOf(since);
    if (typeof page === 'string') {
      assert.equal(page, 'too_old', 'its own cursor is always known');
      assert(at < floorSeq, 'nobody loads everything again without need');
      this.resyncs += 1;
      this.loadedSeq = log.entries.length;
      this.cursor = log.entries.at(-1)?.version;
      this.seen = [];
      return true;
    }
    assert(at >= floorSeq || floorSeq === 0, 'a cursor below the floor is refused');
    assert(page.entries.length <= read.open.limit);
    this.seen.push(...page.entries.map((entry) => entry.seq));
    const end = log.seqOf(page.last_seq);
    assert.equal(page.seq, end);
    assert(end >= at, 'a cursor never goes back');
    assert.deepStrictEqual(this.seen, log.wanted(this.asked, this.loadedSeq, end), 'exactly what is there');
    const left = log.wanted(this.asked, end, head?.seq ?? 0).length;
    if (!page.has_more) assert.equal(left, 0, 'the end is the end');
    if (!page.has_more) assert(end >= (head?.seq ?? 0), 'at the end the cursor is the head');
    this.cursor = page.last_seq === ZERO_VERSION ? undefined : page.last_seq;
    return page.has_more;
  }
}

/** The log, a process that trims it by the rules, and readers whose head and rows are read at different times. */
class History {
  readonly log = new ScopeLog();
  readonly readers: readonly Reader[];
  private now = 1_000;
  private floorAt: number | undefined;
  private clearedSeq = 0;

  constructor(wanted: readonly ReadonlySet<string>[]) {
    this.readers = wanted.map((names) => new Reader(this.log, names));
  }

  run(action: Step): void {
    switch (action.do) {
      case 'write':
        this.log.append(action.collection, action.step);
        return;
      case 'wait':
        this.now += action.ms;
        return;
      case 'trim':
        return this.trim(action.keep);
      case 'begin':
        return this.readers[action.reader]!.begin(action.limit, this.now);
      case 'finish':
        this.readers[action.reader]!.finish(action.cut, this.now);
    }
  }

  settle(): void {
    for (const each of this.readers) {
      let more = true;
      for (let page = 0; more; page++) {
        assert(page < 1000, 'a walk comes to its end');
        each.begin(2, this.now);
        more = each.finish(99, this.now);
      }
      assert.equal(each.cursor, this.log.entries.at(-1)?.version);
    }
  }

  private trim(keep: number): void {
    const { log, now } = this;
    const state = {
      seq: log.entries.length,
      floorSeq: log.floorSeq,
      floorAt: this.floorAt,
      clearedSeq: this.clearedSeq,
    };
    const deletion = planDeletion(state, now, GRACE);
    if (deletion.kind === 'wait') return;
    if (deletion.kind === 'delete') {
      // Straight at the entries: that no reader is among them is the plan's promise, not the log's.
      log.removedSeq = deletion.upTo;
      this.clearedSeq = deletion.upTo;
      return;
    }
    const raise = planRaise(state, { oldestYoung: 'unlimited', maxEntries: keep });
    if (raise.kind !== 'raise') return;
    log.raise(raise.to);
    this.floorAt = now;
  }
}

describe('walking a log that is written and trimmed meanwhile', () => {
  it('gives exactly the asked entries, or a full resync exactly when the cursor is below the floor', () => {
    let resyncs = 0;
    fc.assert(
      fc.property(fc.tuple(asked, asked, asked), fc.array(step, { maxLength: 80 }), (wanted, steps) => {
        const history = new History(wanted);
        for (const each of steps) history.run(each);
        history.settle();
        resyncs += history.readers.reduce((sum, each) => sum + each.resyncs, 0);
      }),
      runs(1500),
    );
    expect(resyncs).toBeGreaterThan(0);
  });
});

describe('any cursor at all', () => {
  it('is known, too old or unknown exactly as the log says', () => {
    const written = fc.array(fc.tuple(collection, fc.nat({ max: 2 })), { maxLength: 12 });
    const place = fc.nat({ max: 13 });
    const twist = fc.constantFrom('as is', 'as is', 'no node', 'other node', 'other counter', 'zero', 'none');
    fc.assert(
      fc.property(
        written,
        place,
        place,
        fc.nat({ max: 100 }),
        twist,
        asked,
        (given, at, floor, share, how, names) => {
          const log = new ScopeLog();
          for (const [name, ms] of given) log.append(name, ms);
          log.raise(floor);
          log.remove(Math.floor((floor * share) / 100));
          const ahead = formatHlc({ ms: 1_900_000_000_000, counter: 0, node: 'log' });
          const since = twisted(log.entries[at]?.version ?? ahead, how);

          const zero = since === undefined || since.startsWith('19700101T000000.000Z');
          const floorVersion = log.entries[log.floorSeq - 1]?.version ?? ZERO_VERSION;
          const entry = zero ? undefined : log.entries.find((each) => each.version === since);
          const kept = entry !== undefined && entry.seq > log.removedSeq;
          const known = zero
            ? log.floorSeq === 0
            : (kept && entry.seq >= log.floorSeq) ||
              since === log.head?.version ||
              entry?.seq === log.floorSeq;
          const expected = known
            ? log.wanted(names, entry?.seq ?? 0)
            : zero || (log.head && since < floorVersion)
              ? 'too_old'
              : 'unknown_cursor';
          const page = log.finish(log.begin(since, names, 100));
          assert.deepStrictEqual(
            typeof page === 'string' ? page : page.entries.map((row) => row.seq),
            expected,
          );
        },
      ),
      runs(3000),
    );
  });
});

function twisted(version: string, how: string): string | undefined {
  switch (how) {
    case 'no node':
      return version.slice(0, 25);
    case 'other node':
      return `${version}x`;
    case 'other counter':
      return version.replace(/-\d{4}/, '-0099');
    case 'zero':
      return '19700101T000000.000Z-0042-dev';
    case 'none':
      return undefined;
    default:
      return version;
  }
}
