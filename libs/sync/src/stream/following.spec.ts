import assert from 'node:assert';
import * as fc from 'fast-check';
import { Selection } from '../log/selection';
import { runs } from '../../../../test/support/runs';
import { ScopeLog, type LoggedEntry, type OpenRead } from '../../../../test/support/scope-log';
import { Follower, type FollowerBounds } from './follower';

const BOUNDS: FollowerBounds = { entries: 4, bytes: 12 };
const PAGE = 3;

type Step =
  | { readonly do: 'commit'; readonly collection: string; readonly bytes: number }
  | { readonly do: 'dispatch'; readonly times: number }
  | { readonly do: 'take'; readonly socket: number; readonly bytes: number }
  | { readonly do: 'begin'; readonly socket: number; readonly behind: number }
  | { readonly do: 'page'; readonly socket: number }
  | { readonly do: 'fail' | 'ping'; readonly socket: number }
  | { readonly do: 'cut'; readonly socket: number; readonly lost: number }
  | { readonly do: 'lose' | 'repeat' | 'pass over' }
  | { readonly do: 'reopen'; readonly skip: number }
  | { readonly do: 'trim'; readonly keep: number; readonly removed: number };

const socket = fc.nat({ max: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('commit' as const),
      collection: fc.constantFrom('tasks', 'tasks', 'notes'),
      bytes: fc.nat({ max: 14 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('dispatch' as const), times: fc.integer({ min: 1, max: 8 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('take' as const), socket, bytes: fc.nat({ max: 20 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('begin' as const), socket, behind: fc.constantFrom(0, 0, 1, 3) }),
  },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('page' as const), socket }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('fail' as const, 'ping' as const), socket }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('cut' as const), socket, lost: fc.constantFrom(0, 0, 1, 2) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('lose' as const, 'repeat' as const, 'pass over' as const) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('reopen' as const), skip: fc.nat({ max: 5 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('trim' as const),
      keep: fc.nat({ max: 12 }),
      removed: fc.constantFrom(0, 50, 100),
    }),
  },
);

/** One client: what it has got, and the socket that it follows the log by. */
class Client {
  follower: Follower<LoggedEntry>;
  /** What it would come back with. */
  cursor: string | undefined;
  resyncs = 0;
  private loadedSeq = 0;
  private seen: number[] = [];
  private reading: OpenRead | undefined;

  constructor(
    private readonly log: ScopeLog,
    private readonly asked: ReadonlySet<string>,
    fromSeq: number,
  ) {
    this.loadedSeq = Math.min(fromSeq, log.entries.length);
    this.cursor = log.entries[this.loadedSeq - 1]?.version;
    this.follower = this.connect();
  }

  take(bytes: number): void {
    const before = this.follower.position;
    const run = this.follower.drain(bytes);
    const last = run.at(-1);
    if (!last) return;
    if (before) this.expectNoHole(before.seq);
    this.seen.push(...run.map(({ seq }) => seq));
    this.cursor = last.version;
  }

  /** A ping carries the subscription's position: everything asked up to there was sent. */
  ping(): void {
    const { position } = this.follower;
    if (!position) return;
    this.expectNoHole(position.seq);
    if (position.seq === 0) return;
    assert((this.cursor ?? '') <= position.version, 'a position never goes back');
    this.cursor = position.version;
  }

  /** The page sees at least what was dispatched before; of the newest entries its primary may not know yet. */
  begin(dispatched: number, behind: number): void {
    if (this.reading || this.follower.next !== 'read') return;
    const { log } = this;
    const { readFrom } = this.follower;
    const from = readFrom === undefined ? 0 : log.seqOf(readFrom);
    // A cursor above the head is looked up once more, by a linearizable read.
    const seen = Math.max(from, dispatched, log.entries.length - behind);
    this.follower.begin();
    this.reading = log.begin(readFrom, this.asked, PAGE, log.headAt(seen));
  }

  page(): void {
    const { reading, log, follower } = this;
    if (!reading) return;
    this.reading = undefined;
    const page = log.finish(reading);
    if (typeof page === 'string') {
      assert.equal(page, 'too_old');
      assert(log.seqOf(reading.since ?? '') < reading.floorSeq, 'nobody loads everything again without need');
      return this.reload();
    }
    const entries = page.entries as readonly LoggedEntry[];
    follower.page({ entries, more: page.has_more, end: { version: page.last_seq, seq: page.seq } });
  }

  fail(): void {
    if (!this.reading) return;
    this.log.abandon(this.reading);
    this.reading = undefined;
    this.follower.abandon();
  }

  /** The socket breaks. What was sent last may not have arrived: the client comes back with what it has. */
  cut(lost: number): void {
    if (this.reading) this.log.abandon(this.reading);
    this.reading = undefined;
    const kept = this.seen.length - Math.min(lost, this.seen.length);
    if (kept < this.seen.length) {
      this.seen.length = kept;
      const last = this.seen.at(-1) ?? this.loadedSeq;
      this.cursor = this.log.entries[last - 1]?.version;
    }
    this.follower = this.connect();
  }

  expectNoHole(upTo: number): void {
    const wanted = this.log.wanted(this.asked, this.loadedSeq, upTo);
    assert.deepStrictEqual(this.seen, wanted, 'each asked entry once, in order, up to the position');
  }

  get isReading(): boolean {
    return this.reading !== undefined;
  }

  private connect(): Follower<LoggedEntry> {
    return new Follower(this.cursor, new Selection([...this.asked]), BOUNDS);
  }

  private reload(): void {
    this.resyncs += 1;
    this.loadedSeq = this.log.entries.length;
    this.cursor = this.log.entries.at(-1)?.version;
    this.seen = [];
    this.follower = this.connect();
  }
}

/** One process: its log, its change stream, and the clients that are connected to it. */
class Process {
  readonly log = new ScopeLog();
  readonly clients: readonly Client[];
  /** How much of the log the change stream has dispatched; undefined while it is lost. */
  private dispatched: number | undefined;
  /** The stream has left an entry out without a word: only the next one gives that away. */
  private passedOver = false;

  constructor(before: number, from: readonly number[]) {
    for (let n = 0; n < before; n++) this.log.append(n % 3 === 0 ? 'notes' : 'tasks');
    this.dispatched = before;
    const asked = [new Set(['tasks']), new Set(['notes']), new Set(['tasks', 'notes'])];
    this.clients = from.map((seq, index) => new Client(this.log, asked[index]!, seq));
  }

  run(action: Step): void {
    const { log } = this;
    switch (action.do) {
      case 'commit':
        log.append(action.collection, 1, action.bytes);
        return;
      case 'dispatch':
        for (let n = 0; n < action.times; n++) this.dispatch();
        return;
      case 'lose':
        if (this.dispatched !== undefined) for (const { follower } of this.clients) follower.lost();
        this.dispatched = undefined;
        return;
      case 'reopen':
        // What was committed before the new stream opened is never dispatched.
        this.dispatched ??= Math.max(0, log.entries.length - action.skip);
        return;
      case 'repeat': {
        // A stream that resumes may give again what it has given.
        const from = Math.max(0, (this.dispatched ?? 0) - 3);
        for (const entry of log.entries.slice(from, this.dispatched ?? 0)) this.offer(entry);
        return;
      }
      case 'pass over':
        if (this.dispatched === undefined || this.dispatched >= log.entries.length) return;
        if (this.clients.some((client) => client.isReading)) return;
        this.dispatched += 1;
        this.passedOver = true;
        return;
      case 'trim':
        log.raise(log.entries.length - action.keep);
        log.remove(Math.floor((log.floorSeq * action.removed) / 100));
        return;
      default:
        return this.act(action);
    }
  }

  /** The stream is open, every socket reads on, and everybody has everything: also when nothing more is written. */
  settle(): void {
    this.run({ do: 'reopen', skip: 0 });
    if (!this.passedOver) this.rest();
    this.log.append('tasks');
    this.log.append('notes');
    this.rest();
  }

  private rest(): void {
    for (let rounds = 0; rounds < 10_000; rounds++) {
      this.dispatch();
      let quiet = this.dispatched === this.log.entries.length;
      for (const client of this.clients) {
        const { next } = client.follower;
        if (next === 'wait') continue;
        quiet = false;
        if (next === 'drain') client.take(2);
        else if (client.isReading) client.page();
        else client.begin(this.dispatched!, 0);
      }
      if (quiet) return this.expectEverything();
    }
    throw new Error('does not come to rest');
  }

  private expectEverything(): void {
    for (const client of this.clients) {
      client.expectNoHole(Infinity);
      client.ping();
      assert.equal(client.cursor, this.log.entries.at(-1)?.version, 'a quiet client stays above the floor');
    }
  }

  private act(
    action: Exclude<
      Step,
      { do: 'commit' | 'dispatch' | 'lose' | 'reopen' | 'repeat' | 'pass over' | 'trim' }
    >,
  ): void {
    const client = this.clients[action.socket]!;
    switch (action.do) {
      case 'take':
        return client.take(action.bytes);
      case 'begin':
        if (this.dispatched !== undefined) client.begin(this.dispatched, action.behind);
        return;
      case 'cut':
        return client.cut(action.lost);
      default:
        return client[action.do]();
    }
  }

  private dispatch(): void {
    const entry = this.dispatched === undefined ? undefined : this.log.entries[this.dispatched];
    if (!entry) return;
    this.dispatched! += 1;
    this.offer(entry);
  }

  private offer(entry: LoggedEntry): void {
    for (const { follower } of this.clients) follower.offer(entry);
  }
}

describe('clients that follow a log over sockets that break, a stream that is lost and a log that is trimmed', () => {
  it('get each entry once and in order, or load everything again when their cursor is below the floor', () => {
    let resyncs = 0;
    fc.assert(
      fc.property(
        fc.nat({ max: 8 }),
        fc.array(fc.nat({ max: 8 }), { minLength: 3, maxLength: 3 }),
        fc.array(step, { maxLength: 120 }),
        (before, from, steps) => {
          const server = new Process(before, from);
          for (const each of steps) server.run(each);
          server.settle();
          resyncs += server.clients.reduce((sum, each) => sum + each.resyncs, 0);
        },
      ),
      runs(2000),
    );
    expect(resyncs).toBeGreaterThan(0);
  });
});
