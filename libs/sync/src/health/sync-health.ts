import { Injectable, Optional } from '@nestjs/common';
import { formatHlc, parseHlc } from 'nest-offline-sync-protocol';
import { CaptureService } from '../capture/capture.service';
import { WallClock } from '../clock/wall-clock';
import { within } from '../database/waiting';
import { OplogRepository } from '../log/oplog';
import { ChangeStreamHub } from '../stream/change-stream-hub';
import {
  CLOCK_WARNING_MS,
  judgeHealth,
  type ChangeStreamState,
  type HealthFindings,
  type SyncHealth,
} from './health';

/** Longest that a check takes, whatever the database does. Milliseconds. */
const CHECK_LIMIT_MS = 2_000;
/** The heads are read that seldom: the search looks at all of them. Milliseconds. */
const HEADS_EVERY_MS = 60_000;

/**
 * Whether the engine can do its work in this process: a primary answers, the change stream is open for those who listen,
 * the clock is near the database's. {@link isHealthy} gives what @nestjs/terminus wants
 * (`health.check([() => sync.isHealthy()])`); neither method needs terminus to be installed.
 */
@Injectable()
export class SyncHealthIndicator {
  private headAhead: { readonly ms: number; readonly at: number } | undefined;

  constructor(
    private readonly oplog: OplogRepository,
    private readonly clock: WallClock,
    private readonly capture: CaptureService,
    @Optional() private readonly hub?: ChangeStreamHub,
  ) {}

  /** The result in the shape of terminus. Never throws: trouble is `status: 'down'`. */
  async isHealthy<Key extends string = 'sync'>(
    key: Key = 'sync' as Key,
  ): Promise<Record<Key, { status: SyncHealth['status'] } & SyncHealth['details']>> {
    const { status, details } = await this.check();
    return { [key]: { status, ...details } } as Record<Key, { status: typeof status } & typeof details>;
  }

  /** Takes at most two seconds. Never throws. */
  async check(): Promise<SyncHealth> {
    return judgeHealth(await this.look(performance.now() + CHECK_LIMIT_MS));
  }

  private async look(deadline: number): Promise<HealthFindings> {
    const hello = await inTime(deadline, (signal) => this.hello(signal));
    if (typeof hello !== 'object') return { primary: false, error: `The database's primary ${hello}.` };
    if (hello['isWritablePrimary'] !== true || !('setName' in hello || hello['msg'] === 'isdbgrid'))
      return { primary: false, error: 'The server that answers is no primary of a replica set.' };
    const [changeStream, headAheadMs, behindMs] = await Promise.all([
      this.streamState(deadline),
      this.headLead(deadline),
      inTime(deadline, () => this.capture.behindMs()),
    ]);
    const captureBehindMs = typeof behindMs === 'number' ? behindMs : undefined;
    return { primary: true, changeStream, clockOffsetMs: this.clock.offsetMs, headAheadMs, captureBehindMs };
  }

  private hello(signal: AbortSignal): Promise<Record<string, unknown>> {
    return this.oplog.db.command({ hello: 1 }, { signal });
  }

  /** A stream that is just being opened gets the time that the check has. */
  private async streamState(deadline: number): Promise<ChangeStreamState> {
    const { hub } = this;
    if (!hub) return 'off';
    if (!hub.alive) await inTime(deadline, (signal) => hub.whenOpen(signal));
    if (!hub.alive) return 'lost';
    return hub.seenUpTo ? 'open' : 'off';
  }

  private async headLead(deadline: number): Promise<number | undefined> {
    if (!this.headAhead || performance.now() - this.headAhead.at > HEADS_EVERY_MS) {
      const ms = await inTime(deadline, () => this.readHeadLead());
      if (typeof ms === 'number') this.headAhead = { ms, at: performance.now() };
    }
    return this.headAhead?.ms;
  }

  private async readHeadLead(): Promise<number> {
    const now = this.clock.now();
    const ahead = await this.oplog.heads.findOne(
      { version: { $gt: formatHlc({ ms: now + CLOCK_WARNING_MS, counter: 0, node: '' }) } },
      { sort: { version: -1 }, projection: { version: 1 }, maxTimeMS: CHECK_LIMIT_MS },
    );
    return Math.max(0, (parseHlc(ahead?.version ?? '')?.ms ?? now) - now);
  }
}

/** What the work gives, or in words why it gives nothing. Names errors only: their texts hold host names. */
function inTime<T>(deadline: number, work: (signal: AbortSignal) => Promise<T>): Promise<T | string> {
  const late = (): string => `did not answer in ${CHECK_LIMIT_MS / 1000} s`;
  const failed = (error: unknown): string =>
    `could not be reached (${error instanceof Error ? error.name : 'unknown'})`;
  return within(Math.max(0, deadline - performance.now()), work, late).catch(failed);
}
