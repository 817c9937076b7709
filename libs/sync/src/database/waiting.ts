import { setTimeout as delay } from 'node:timers/promises';
import mongoose from 'mongoose';

/** The database has said nothing within a limit: it counts as out of reach. */
export function noAnswer(): never {
  throw new mongoose.mongo.MongoNetworkTimeoutError('The database has not answered in time');
}

/**
 * The result of some work, or what `late` gives or throws when it takes longer than `ms`. How the work ends after that
 * is heard by nobody.
 *
 * Work of the database must not be waited for without a limit (its own `timeoutMS` is taken and ignored by the driver,
 * 7.8 at least): the driver has an operation that never ends. A command written to a socket that is already destroyed,
 * and has not said so yet, waits for a `drain` that cannot come. The moment is short, but each broken connection has one.
 *
 * @param work takes the signal to its operations where they have that option: those give their connection back past the
 *   limit. The others, getMore and commit among them, keep it for as long as they hang
 * @param late default: MongoNetworkTimeoutError
 * @param limit aborted past the limit
 */
export async function within<T, Late = never>(
  ms: number,
  work: (signal: AbortSignal) => Promise<T>,
  late: () => Late = noAnswer,
  limit = new AbortController(),
): Promise<T | Late> {
  const working = work(limit.signal);
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<Late>((resolve, reject) => {
    timer = setTimeout(() => {
      working.catch(() => undefined);
      let reason: unknown;
      try {
        resolve(late());
      } catch (error) {
        reason = error;
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- whatever it is
        reject(error);
      }
      limit.abort(reason);
    }, ms);
  });
  try {
    return await Promise.race([working, isLate]);
  } finally {
    clearTimeout(timer);
  }
}

/** Between two tries of a transaction that met a conflict. */
export const CONFLICT_PAUSE = { firstMs: 4, longestMs: 200 };
/** Between two tries of what needs a database that is away. */
export const OUTAGE_PAUSE = { firstMs: 50, longestMs: 2_000 };

/**
 * How long to wait before the next try, in milliseconds: anything from nothing to twice as long as the time before, so
 * that those who failed together do not come back together.
 *
 * @param failures in a row so far
 * @param random from 0 to below 1
 */
export function fullJitter(
  failures: number,
  { firstMs, longestMs }: typeof CONFLICT_PAUSE,
  random: number,
): number {
  return random * Math.min(longestMs, firstMs * 2 ** Math.min(failures, 16));
}

/** Waits, or returns at once when the signal fires. Never throws. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    // Aborted: the caller looks at the signal.
  }
}

/** Lets a number of works run at the same time; the others wait for their turn, first come first served. */
export class Turns {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await work();
    } finally {
      // The turn goes straight to the next one, so that nobody slips in between.
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }
}
