import assert from 'node:assert';
import fc from 'fast-check';
import { formatHlc, ZERO_VERSION, type ResyncReason } from 'nest-offline-sync-protocol';
import { runs } from '../../../../test/support/runs';
import type { PullPage } from './page';
import { headPage, locateCursor, locateSeq, pageOf, rowsToRead, type HeadView } from './cursor';

interface Entry {
  readonly seq: number;
  readonly version: string;
  readonly collection: string;
  readonly wire: Buffer;
}

/** A scope's log as MongoDB would hold it: what trimming has removed stands below the floor. */
class Log {
  readonly entries: Entry[] = [];
  floor = ZERO_VERSION;
  /** How many of the oldest entries are gone: all of them stand at or below the floor. */
  removed = 0;
  private ms = 1_777_000_000_000;

  append(collection: string, step: number): void {
    this.ms += step;
    const seq = this.entries.length + 1;
    const version = formatHlc({ ms: this.ms, counter: seq, node: `n-${step}` });
    this.entries.push({ seq, version, collection, wire: Buffer.from(String(seq)) });
  }

  /** Raises the floor to the entry of this number, and removes some of what is below it. */
  trim(floorSeq: number, share: number): void {
    const floor = this.entries[Math.min(floorSeq, this.entries.length) - 1];
    if (!floor || floor.version < this.floor) return;
    this.floor = floor.version;
    this.removed = Math.max(this.removed, Math.floor((floor.seq * share) / 100));
  }

  get head(): HeadView | null {
    const last = this.entries.at(-1);
    return last ? { version: last.version, seq: last.seq, floor: this.floor } : null;
  }

  /** What OplogRepository.readEntries does. */
  read(from: string | undefined, asked: ReadonlySet<string>, limit: number): Entry[] {
    return this.entries
      .slice(this.removed)
      .filter(({ version }) => from === undefined || version >= from)
      .filter(({ version, collection }) => version === from || asked.has(collection))
      .slice(0, limit);
  }
}

interface Question {
  readonly since: string | undefined;
  readonly asked: ReadonlySet<string>;
  readonly limit: number;
  /** The reader takes at most this many rows before it says that it was cut short. */
  readonly cut?: number;
  /** What happens between the read of the head and that of the entries. */
  readonly between?: () => void;
}

function answer(log: Log, { since, asked, limit, cut, between }: Question): PullPage | ResyncReason {
  const head = log.head;
  between?.();
  const look = locateCursor(since, head);
  if (look.at === 'gone') return look.reason;
  if (look.at === 'head' || !head) return headPage(head);
  const wanted = rowsToRead(look, limit);
  let rows = log.read(look.from, asked, wanted);
  const above = rows.filter(({ version }) => version !== look.from).length;
  const cutShort = cut !== undefined && above > cut;
  if (cutShort) rows = rows.slice(0, rows.length - above + cut);
  return pageOf(look, head, rows, limit, cutShort);
}

const COLLECTIONS = ['tasks', 'notes', 'orders'];
const collection = fc.constantFrom(...COLLECTIONS);
const asked = fc
  .uniqueArray(collection, { maxLength: 3 })
  .map((names): ReadonlySet<string> => new Set(names));
const writes = fc.array(fc.tuple(collection, fc.nat({ max: 3 })), { maxLength: 30 });

function logOf(given: readonly (readonly [string, number])[]): Log {
  const log = new Log();
  for (const [name, step] of given) log.append(name, step);
  return log;
}

describe('following last_seq from the beginning', () => {
  it('gives each asked entry exactly once and in order, whatever is written meanwhile', () => {
    const limit = fc.integer({ min: 1, max: 7 });
    const page = fc.record({
      limit,
      cut: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
      before: fc.array(collection, { maxLength: 3 }),
      between: fc.array(collection, { maxLength: 3 }),
    });
    fc.assert(
      fc.property(writes, asked, fc.array(page, { maxLength: 12 }), limit, (given, names, pages, rest) => {
        const log = logOf(given);
        const seen: number[] = [];
        let since: string | undefined;
        const pull = (question: Omit<Question, 'since' | 'asked'>): PullPage => {
          const got = answer(log, { since, asked: names, ...question });
          if (typeof got === 'string') throw new Error(`asked for a full resync: ${got}`);
          assert(got.entries.length <= question.limit);
          assert(since === undefined || got.last_seq >= since);
          const at = log.entries.find(({ version }) => version === got.last_seq);
          assert.equal(got.seq, at?.seq ?? 0);
          assert(at !== undefined || got.last_seq === ZERO_VERSION);
          seen.push(...got.entries.map(({ seq }) => seq));
          since = got.last_seq;
          return got;
        };
        for (const { limit, cut, before, between } of pages) {
          for (const name of before) log.append(name, 1);
          pull({
            limit,
            cut,
            between: () => {
              for (const name of between) log.append(name, 0);
            },
          });
        }
        while (pull({ limit: rest }).has_more);
        expect(seen).toEqual(log.entries.filter((one) => names.has(one.collection)).map(({ seq }) => seq));
        expect(since).toBe(log.head?.version ?? ZERO_VERSION);
      }),
      runs(2000),
    );
  });

  it('says that there is more exactly when there is', () => {
    fc.assert(
      fc.property(
        writes,
        asked,
        fc.nat({ max: 40 }),
        fc.integer({ min: 1, max: 9 }),
        (given, names, at, limit) => {
          const log = logOf(given);
          const since = log.entries[at]?.version;
          const left = log.entries.filter(
            ({ version, collection: name }) => names.has(name) && (since === undefined || version > since),
          );
          const got = answer(log, { since, asked: names, limit });
          expect(got).toMatchObject({ has_more: left.length > limit });
        },
      ),
    );
  });
});

describe('what is read for a cursor', () => {
  const [first, second, third] = [1, 2, 3].map((ms) => formatHlc({ ms, counter: 0, node: 'n' })) as [
    string,
    string,
    string,
  ];
  const whole: HeadView = { version: third, seq: 3, floor: ZERO_VERSION };
  const trimmed: HeadView = { ...whole, floor: second };

  it('is the head alone when nothing can be above it', () => {
    expect(locateCursor(third, whole)).toEqual({ at: 'head' });
    expect(locateCursor(third, { ...whole, floor: third })).toEqual({ at: 'head' });
    expect(locateCursor(undefined, null)).toEqual({ at: 'head' });
    expect(locateCursor(ZERO_VERSION, null)).toEqual({ at: 'head' });
    expect(headPage(whole)).toMatchObject({ entries: [], last_seq: third, seq: 3, has_more: false });
  });

  it('is the log from the cursor on, which has to be there unless it is the floor', () => {
    expect(locateCursor(undefined, whole)).toEqual({ at: 'log', from: undefined, mustMeet: false });
    expect(locateCursor(`${ZERO_VERSION}-any`, whole)).toEqual({
      at: 'log',
      from: undefined,
      mustMeet: false,
    });
    expect(locateCursor(second, whole)).toEqual({ at: 'log', from: second, mustMeet: true });
    expect(locateCursor(second, trimmed)).toEqual({ at: 'log', from: second, mustMeet: false });
  });

  it('is nothing once it was trimmed; a cursor one millisecond after the zero cursors is a cursor', () => {
    for (const since of [undefined, ZERO_VERSION, first])
      expect(locateCursor(since, trimmed)).toEqual({ at: 'gone', reason: 'too_old' });
    const early = formatHlc({ ms: 1, counter: 0, node: '' });
    expect(locateCursor(early, whole)).toEqual({ at: 'log', from: early, mustMeet: true });
    expect(locateCursor(early, null)).toEqual({ at: 'gone', reason: 'unknown_cursor' });
  });

  it('is for a seq what it is for the version of that seq', () => {
    const seqs = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(writes, seqs, fc.nat({ max: 31 }), fc.nat({ max: 100 }), (given, seq, floorSeq, share) => {
        const log = logOf(given);
        const since = log.entries[seq - 1]?.version;
        log.trim(floorSeq, share);
        const floor = log.entries.find(({ version }) => version === log.floor);
        const look = locateSeq(seq, log.head && { ...log.head, floorSeq: floor?.seq ?? 0 });
        if (since === undefined) return expect(look).toEqual({ at: 'gone', reason: 'unknown_cursor' });
        const byVersion = locateCursor(since, log.head);
        const asksTheLog = byVersion.at === 'log' && byVersion.mustMeet;
        return expect(look).toEqual(asksTheLog ? { at: 'entry' } : byVersion);
      }),
      runs(1000),
    );
  });

  it('is one row more than asked, and the one at the cursor', () => {
    const from = (at: string | undefined) => ({ at: 'log', from: at, mustMeet: at !== undefined }) as const;
    expect(rowsToRead(from(undefined), 100)).toBe(101);
    expect(rowsToRead(from(first), 100)).toBe(102);
    // A reader that took all it was told to take was not cut short.
    const row = { seq: 1, version: first, collection: 'tasks', wire: Buffer.from('{}') };
    expect(pageOf(from(undefined), whole, [row], 5)).toMatchObject({ last_seq: third, has_more: false });
    // As many as were asked, and no row behind them: the end.
    expect(pageOf(from(undefined), whole, [row], 1)).toMatchObject({ last_seq: third, has_more: false });
    expect(pageOf(from(undefined), whole, [row], 5, true)).toMatchObject({ last_seq: first, has_more: true });
  });
});

describe('a cursor', () => {
  it('is followed without a hole, or refused: after any trimming', () => {
    fc.assert(
      fc.property(
        writes,
        asked,
        fc.nat({ max: 31 }),
        fc.nat({ max: 31 }),
        fc.nat({ max: 100 }),
        (given, names, at, floorSeq, share) => {
          const log = logOf(given);
          const since = at === 0 ? undefined : log.entries[at - 1]?.version;
          log.trim(floorSeq, share);
          const got = answer(log, { since, asked: names, limit: 100 });
          const above = log.entries.filter(({ version }) => since === undefined || version > since);
          const tooOld = log.floor > ZERO_VERSION && (since ?? ZERO_VERSION) < log.floor;
          if (tooOld) return expect(got).toBe('too_old');
          return expect(got).toMatchObject({
            entries: above.filter((one) => names.has(one.collection)).map(({ seq }) => ({ seq })),
          });
        },
      ),
      runs(1000),
    );
  });

  it('is refused as soon as one entry above it is gone, also when the reader met an old head', () => {
    const log = logOf(COLLECTIONS.map((name) => [name, 1]));
    const since = log.entries[0]?.version;
    const got = answer(log, {
      since,
      asked: new Set(COLLECTIONS),
      limit: 10,
      between: () => {
        log.trim(3, 100);
      },
    });
    expect(got).toBe('unknown_cursor');
  });

  it('from another database is refused: between two entries, above the head, before the first write', () => {
    const log = logOf([
      ['tasks', 1],
      ['tasks', 2],
    ]);
    const names = new Set(COLLECTIONS);
    const foreign = (version: string): string => `${version}x`;
    for (const { version } of log.entries)
      expect(answer(log, { since: foreign(version), asked: names, limit: 5 })).toBe('unknown_cursor');
    const ahead = formatHlc({ ms: 1_800_000_000_000, counter: 0, node: 'a' });
    expect(locateCursor(ahead, log.head)).toEqual({ at: 'gone', reason: 'unknown_cursor' });
    expect(answer(new Log(), { since: log.head?.version, asked: names, limit: 5 })).toBe('unknown_cursor');
  });

  it('without its node part is another one than the entry that it begins like', () => {
    const log = logOf([
      ['tasks', 1],
      ['tasks', 2],
    ]);
    const since = log.entries[0]?.version.replace(/Z-(\d{4}).*/, 'Z-$1');
    expect(answer(log, { since, asked: new Set(['tasks']), limit: 5 })).toBe('unknown_cursor');
  });

  it('of an empty scope leads to its first write', () => {
    const log = new Log();
    const names = new Set(['tasks']);
    const empty = answer(log, { since: undefined, asked: names, limit: 5 });
    expect(empty).toMatchObject({ last_seq: ZERO_VERSION, seq: 0, has_more: false });
    log.append('tasks', 1);
    const first = answer(log, { since: ZERO_VERSION, asked: names, limit: 5 });
    expect(first).toMatchObject({ entries: [{ seq: 1 }], seq: 1 });
  });

  it('moves on to the head while nothing of its collections happens, so that it never grows too old', () => {
    const log = logOf([
      ['tasks', 1],
      ['notes', 1],
      ['notes', 1],
    ]);
    const got = answer(log, { since: log.entries[0]?.version, asked: new Set(['tasks']), limit: 5 });
    expect(got).toMatchObject({ entries: [], last_seq: log.head?.version, seq: 3 });
  });
});
