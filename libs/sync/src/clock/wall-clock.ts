import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import type { Connection } from 'mongoose';
import { within } from '../database/waiting';
import { SYNC_CONNECTION } from '../options/tokens';
import { betterMeasure, boundedWall, databaseClock, measureClock, type ClockMeasure } from './bounded-wall';

/** How often the database's clock is looked at. Milliseconds. */
const MEASURE_EVERY_MS = 10_000;
/** A measure that took so long would say little. Milliseconds. */
const MEASURE_LIMIT_MS = 5_000;

/**
 * The wall clock that versions come from: this machine's, held within five seconds of the database's (invariant 8),
 * so that one machine with a wrong clock can neither lift a scope into the future nor be told apart by its stamps.
 */
@Injectable()
export class WallClock implements OnModuleInit, BeforeApplicationShutdown {
  private readonly logger = new Logger('SyncModule');
  private measure: ClockMeasure | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(@Inject(SYNC_CONNECTION) private readonly connection: Connection) {}

  /** Bounded wall clock, whole milliseconds since 1970. Not monotonic: {@link sendHlc} makes order of it. */
  now(): number {
    return boundedWall(Date.now(), this.measure, performance.now());
  }

  /** How far this machine's clock is ahead of the database's (negative: behind). Undefined before a measure. */
  get offsetMs(): number | undefined {
    return this.measure && Math.round(Date.now() - databaseClock(this.measure, performance.now()));
  }

  /** Milliseconds since the last measure that counted. Undefined before the first. */
  get measuredAgoMs(): number | undefined {
    return this.measure && Math.round(performance.now() - this.measure.at);
  }

  /** The first measure is taken before anything is served. */
  async onModuleInit(): Promise<void> {
    await this.look();
    this.schedule();
  }

  beforeApplicationShutdown(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      void this.look().then(() => {
        this.schedule();
      });
    }, MEASURE_EVERY_MS).unref();
  }

  /** Never fails: a database out of reach leaves the last measure standing. */
  private async look(): Promise<void> {
    try {
      const admin = this.connection.getClient().db('admin');
      const hello = () => within(MEASURE_LIMIT_MS, (signal) => admin.command({ hello: 1 }, { signal }));
      // The first command of an idle pool opens a connection; that would count as round trip.
      if (this.measure === undefined) await hello();
      const sentAt = performance.now();
      const { localTime } = (await hello()) as { localTime?: Date };
      if (localTime instanceof Date)
        this.measure = betterMeasure(
          this.measure,
          measureClock(localTime.getTime(), sentAt, performance.now()),
        );
    } catch (error) {
      if (!this.stopped)
        this.logger.debug(`The database's clock could not be read: ${(error as Error).name}`);
    }
  }
}
