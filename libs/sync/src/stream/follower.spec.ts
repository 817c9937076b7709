import fc from 'fast-check';
import { formatHlc, ZERO_VERSION, type Position } from 'nest-offline-sync-protocol';
import { Selection } from '../log/selection';
import { runs } from '../../../../test/support/runs';
import { Follower, type FollowerBounds } from './follower';

interface Entry extends Position {
  readonly collection: string;
  readonly bytes: number;
}

const ZERO: Position = { version: ZERO_VERSION, seq: 0 };
const versionOf = (seq: number): string => formatHlc({ ms: 1000 + seq, counter: 0, node: 'a' });
const entry = (seq: number, collection = 'tasks', bytes = 1): Entry => ({
  version: versionOf(seq),
  seq,
  collection,
  bytes,
});
const ROOMY: FollowerBounds = { entries: 100, bytes: 1000 };
const tasks = new Selection(['tasks']);

function takeAll(follower: Follower<Entry>): number[] {
  return follower.drain(Infinity).map(({ seq }) => seq);
}

function goLive(follower: Follower<Entry>, end: Position = ZERO): void {
  follower.begin();
  follower.page({ entries: [], more: false, end });
}

describe('Follower', () => {
  it('sends what was dispatched while the last page was read, once, after the page', () => {
    const follower = new Follower<Entry>(undefined, tasks, ROOMY);
    follower.begin();
    for (const seq of [2, 3, 4]) follower.offer(entry(seq));
    follower.page({ entries: [entry(1), entry(2), entry(3)], more: false, end: entry(3) });
    expect(follower.live).toBe(true);
    expect(takeAll(follower)).toEqual([1, 2, 3, 4]);
    expect(follower.next).toBe('wait');
  });

  it('reads on while the backlog has more', () => {
    const follower = new Follower<Entry>(undefined, tasks, ROOMY);
    follower.begin();
    follower.page({ entries: [entry(1), entry(2)], more: true, end: entry(2) });
    expect(takeAll(follower)).toEqual([1, 2]);
    expect(follower.next).toBe('read');
    expect(follower.readFrom).toBe(versionOf(2));
  });

  it('moves its position over entries of collections that were not asked', () => {
    const follower = new Follower<Entry>(undefined, tasks, ROOMY);
    goLive(follower, entry(7));
    expect(follower.position).toEqual({ version: versionOf(7), seq: 7 });
    follower.offer(entry(8, 'other'));
    expect(follower.position?.seq).toBe(8);
    expect(follower.next).toBe('wait');
  });

  it('does not move its position past an entry that still waits', () => {
    const follower = new Follower<Entry>(undefined, tasks, ROOMY);
    goLive(follower, entry(7));
    follower.offer(entry(8));
    follower.offer(entry(9, 'other'));
    expect(follower.position?.seq).toBe(7);
    expect(takeAll(follower)).toEqual([8]);
    expect(follower.position?.seq).toBe(9);
  });

  it('goes back to the backlog when too much waits, and keeps what waits within the bounds', () => {
    const follower = new Follower<Entry>(undefined, tasks, { entries: 3, bytes: 1000 });
    goLive(follower);
    for (let seq = 1; seq <= 10; seq += 1) follower.offer(entry(seq));
    expect(follower.live).toBe(false);
    expect(takeAll(follower)).toEqual([1, 2, 3]);
    expect(follower.next).toBe('read');
    expect(follower.readFrom).toBe(versionOf(3));
  });

  it('counts bytes too, and passes an entry larger than the bound when nothing else waits', () => {
    const follower = new Follower<Entry>(undefined, tasks, { entries: 10, bytes: 5 });
    goLive(follower);
    follower.offer(entry(1, 'tasks', 50));
    expect(takeAll(follower)).toEqual([1]);
    follower.offer(entry(2, 'tasks', 3));
    follower.offer(entry(3, 'tasks', 3));
    expect(takeAll(follower)).toEqual([2]);
    expect(follower.next).toBe('read');
  });

  it('reads the backlog when a dispatch is missing', () => {
    const follower = new Follower<Entry>(undefined, tasks, ROOMY);
    goLive(follower);
    expect(follower.offer(entry(2))).toBe(true);
    expect(follower.next).toBe('read');
    expect(follower.readFrom).toBe(ZERO_VERSION);
  });

  it('does not go live from a page during which more came than it may hold', () => {
    const follower = new Follower<Entry>(undefined, tasks, { entries: 3, bytes: 1000 });
    follower.begin();
    for (let seq = 1; seq <= 4; seq += 1) follower.offer(entry(seq, 'other'));
    follower.page({ entries: [], more: false, end: ZERO });
    expect(follower.next).toBe('read');
  });

  it('reads the backlog after the stream was lost, also when nothing more is dispatched', () => {
    const follower = new Follower<Entry>(undefined, tasks, ROOMY);
    goLive(follower);
    follower.lost();
    expect(follower.next).toBe('read');
  });

  it('hands over at once what fits, and never less than one entry', () => {
    const follower = new Follower<Entry>(undefined, tasks, ROOMY);
    goLive(follower);
    for (let seq = 1; seq <= 8; seq += 1) follower.offer(entry(seq, seq === 6 ? 'other' : 'tasks', 10));
    const taken = (bytes: number): number[] => follower.drain(bytes).map(({ seq }) => seq);
    expect(taken(-1)).toEqual([1]);
    expect(taken(29)).toEqual([2, 3]);
    expect(follower.position?.seq).toBe(3);
    expect(taken(20)).toEqual([4, 5]);
    // The entry that nobody asked for lies before one that still waits.
    expect(follower.position?.seq).toBe(5);
    expect(taken(20)).toEqual([7, 8]);
    expect(follower.position?.seq).toBe(8);
    expect(taken(20)).toEqual([]);
    expect(follower.next).toBe('wait');
  });

  it('has room again for what was taken', () => {
    const follower = new Follower<Entry>(undefined, tasks, { entries: 10, bytes: 5 });
    goLive(follower);
    for (let seq = 1; seq <= 20; seq += 1) {
      follower.offer(entry(seq, 'tasks', seq % 2 === 1 ? 2 : 3));
      if (seq % 2 === 0) expect(takeAll(follower)).toEqual([seq - 1, seq]);
    }
    expect(follower.live).toBe(true);
  });

  it.each([
    ['entries', { entries: 3, bytes: 1000 }, 1],
    ['bytes', { entries: 1000, bytes: 6 }, 2],
  ])(
    'keeps as many %s as it may while a page is read, and lets all go above that',
    (_what, bounds, bytes) => {
      for (const [count, live] of [
        [3, true],
        [4, false],
      ] as const) {
        const follower = new Follower<Entry>(undefined, tasks, bounds);
        follower.begin();
        for (let seq = 1; seq <= count; seq += 1) follower.offer(entry(seq, 'other', bytes));
        follower.page({ entries: [], more: false, end: ZERO });
        expect(follower.live).toBe(live);
        expect(follower.position?.seq).toBe(live ? 3 : 0);
      }
    },
  );

  it('says when there is something new to do, so that its reader is woken', () => {
    const follower = new Follower<Entry>(undefined, tasks, ROOMY);
    follower.begin();
    expect(follower.offer(entry(1))).toBe(false);
    follower.page({ entries: [], more: false, end: entry(1) });
    expect(follower.offer(entry(2))).toBe(true);
    expect(follower.offer(entry(2))).toBe(false);
    expect(follower.offer(entry(3, 'other'))).toBe(false);
    expect(follower.offer(entry(5, 'other'))).toBe(true);
    expect(follower.offer(entry(6))).toBe(false);
  });

  it('never moves its position back, whatever an older head says', () => {
    const follower = new Follower<Entry>(undefined, tasks, ROOMY);
    goLive(follower, entry(7));
    follower.lost();
    goLive(follower, entry(5));
    expect(follower.position?.seq).toBe(7);
    expect(follower.readFrom).toBe(versionOf(7));
  });

  it('does not go live from a page during which the stream was lost', () => {
    const follower = new Follower<Entry>(undefined, tasks, ROOMY);
    follower.begin();
    follower.lost();
    follower.page({ entries: [entry(1)], more: false, end: entry(1) });
    expect(takeAll(follower)).toEqual([1]);
    expect(follower.next).toBe('read');
  });
});

/** A scope's log, the stream that dispatches it and the reads that run against it, for the model below. */
type Step =
  | { readonly do: 'commit'; readonly asked: boolean; readonly bytes: number }
  | { readonly do: 'dispatch'; readonly times: number }
  | { readonly do: 'take'; readonly bytes: number }
  | { readonly do: 'begin' | 'fail' | 'lose' | 'drop' }
  | { readonly do: 'reopen'; readonly skip: number }
  | { readonly do: 'repeat'; readonly back: number }
  | { readonly do: 'page'; readonly limit: number; readonly seen: number; readonly headBehind: number };

const nat = (max: number): fc.Arbitrary<number> => fc.nat({ max });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('commit' as const), asked: fc.boolean(), bytes: nat(6) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('dispatch' as const), times: fc.integer({ min: 1, max: 8 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('take' as const), bytes: nat(16) }),
  },
  { weight: 5, arbitrary: fc.constant({ do: 'begin' as const }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('page' as const),
      limit: fc.integer({ min: 1, max: 5 }),
      seen: nat(100),
      headBehind: nat(3),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'fail' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'lose' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'drop' as const }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reopen' as const), skip: nat(5) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('repeat' as const), back: nat(4) }) },
);

class Model {
  readonly log: Entry[] = [];
  readonly taken: number[] = [];
  readonly bounds: FollowerBounds = { entries: 4, bytes: 12 };
  readonly follower: Follower<Entry>;
  /** How many entries the stream has dispatched; undefined while it is lost. */
  private dispatched: number | undefined = 0;
  /** While a read runs: the number that it must see at least, and the cursor that it began with. */
  private reading: { readonly least: number; readonly since: string | undefined } | undefined;

  constructor(
    before: readonly boolean[],
    private readonly sinceSeq: number,
  ) {
    for (const asked of before) this.commit(asked, 1);
    this.dispatched = this.log.length;
    this.sinceSeq = Math.min(sinceSeq, this.log.length);
    const since = this.sinceSeq === 0 ? undefined : versionOf(this.sinceSeq);
    this.follower = new Follower(since, tasks, this.bounds);
  }

  commit(asked: boolean, bytes: number): void {
    this.log.push(entry(this.log.length + 1, asked ? 'tasks' : 'other', bytes));
  }

  run(command: Step): void {
    switch (command.do) {
      case 'commit':
        return this.commit(command.asked, command.bytes);
      case 'dispatch':
        for (let i = 0; i < command.times; i += 1) this.dispatch();
        return;
      case 'take':
        return this.take(command.bytes);
      case 'begin':
        return this.begin();
      case 'page':
        return this.page(command.limit, command.seen, command.headBehind);
      case 'fail':
        if (this.reading !== undefined) this.follower.abandon();
        this.reading = undefined;
        return;
      case 'lose':
        if (this.dispatched !== undefined) this.follower.lost();
        this.dispatched = undefined;
        return;
      case 'reopen':
        // Opens at some point of the log between what was dispatched and its end: what lies before is never dispatched.
        if (this.dispatched === undefined) this.dispatched = Math.max(0, this.log.length - command.skip);
        return;
      case 'drop':
        // The stream passes over an entry without a word: the next one must give it away.
        if (this.reading === undefined && this.dispatched !== undefined && this.dispatched < this.log.length)
          this.dispatched += 1;
        return;
      case 'repeat':
        // A driver that resumes may deliver again what it had delivered.
        if (this.dispatched !== undefined) {
          const from = Math.max(0, this.dispatched - command.back);
          for (const again of this.log.slice(from, this.dispatched)) this.follower.offer(again);
        }
    }
  }

  dispatch(): void {
    if (this.dispatched === undefined) return;
    const next = this.log[this.dispatched];
    if (!next) return;
    this.dispatched += 1;
    this.follower.offer(next);
  }

  begin(): void {
    if (this.dispatched === undefined || this.reading !== undefined || this.follower.next !== 'read') return;
    this.follower.begin();
    this.reading = { least: this.dispatched, since: this.follower.readFrom };
  }

  page(limit: number, seen: number, headBehind: number): void {
    if (this.reading === undefined) return;
    const { least, since } = this.reading;
    this.reading = undefined;
    const from = this.log.find(({ version }) => version === since)?.seq ?? 0;
    // A cursor above the head is not known: the reader waits until the head has come up to it.
    const visible = Math.max(from, Math.min(this.log.length, least + seen));
    const head = this.log[Math.max(from, least, visible - headBehind) - 1];
    const above = this.log.slice(0, visible).filter((row) => row.seq > from && tasks.has(row));
    const entries = above.slice(0, limit);
    const last = entries.at(-1);
    const more = above.length > limit;
    const end = last && (more || last.seq > (head?.seq ?? 0)) ? last : (head ?? ZERO);
    this.follower.page({ entries, more, end });
  }

  take(bytes: number): void {
    const run = this.follower.drain(bytes);
    const size = run.reduce((sum, each) => sum + each.bytes, 0);
    if (run.length > 1) expect(size).toBeLessThanOrEqual(bytes);
    this.taken.push(...run.map(({ seq }) => seq));
  }

  /** Lets everything come to rest: all dispatched, all read, all taken. */
  settle(): void {
    this.run({ do: 'reopen', skip: 0 });
    this.commit(true, 1);
    for (let rounds = 0; rounds < 10_000; rounds += 1) {
      this.dispatch();
      if (this.follower.next === 'drain') this.take(3);
      else if (this.reading !== undefined) this.page(3, 100, 0);
      else if (this.follower.next === 'read') this.begin();
      else if (this.dispatched === this.log.length) return;
    }
    throw new Error('does not come to rest');
  }

  wantedUpTo(seq: number): number[] {
    return this.log
      .filter((row) => row.seq > this.sinceSeq && row.seq <= seq && tasks.has(row))
      .map((row) => row.seq);
  }
}

describe('Follower, over any interleaving of commits, dispatches, reads and losses', () => {
  it('gives each asked entry above the cursor exactly once, in order; its position is never ahead of it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { maxLength: 8 }),
        nat(8),
        fc.array(step, { maxLength: 80 }),
        (before, since, steps) => {
          const model = new Model(before, since);
          for (const command of steps) {
            model.run(command);
            const position = model.follower.position;
            if (position) expect(model.taken).toEqual(model.wantedUpTo(position.seq));
          }
          model.settle();
          expect(model.taken).toEqual(model.wantedUpTo(model.log.length));
          expect(model.follower.position?.seq ?? 0).toBe(model.log.length);
        },
      ),
      runs(5_000),
    );
  });

  it('holds no more than the bounds and one page', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const model = new Model([], 0);
        for (const command of steps) model.run(command);
        const follower = model.follower;
        const waiting = follower.drain(Infinity);
        const bytes = waiting.reduce((sum, each) => sum + each.bytes, 0);
        const page = { entries: 5, bytes: 5 * 6 };
        expect(waiting.length).toBeLessThanOrEqual(model.bounds.entries + page.entries);
        expect(bytes).toBeLessThanOrEqual(model.bounds.bytes + page.bytes);
      }),
      runs(1_000),
    );
  });
});
