import mongoose from 'mongoose';

const { MongoNetworkTimeoutError } = mongoose.mongo;

/**
 * Waits for work of the database, but not for ever. (Its own `timeoutMS` is taken and ignored by the driver, 7.8 at least.)
 *
 * The driver (seen in 7.8) has an operation that never ends: a command written to a socket that is already destroyed,
 * and has not said so yet, waits for a `drain` that cannot come. The moment is short, but each broken connection has
 * one. Whatever others wait behind has a limit therefore.
 *
 * @param work takes the signal to its operations where they have that option: those give their connection back. The
 *   others, getMore and commit among them, keep it for as long as they hang
 * @throws MongoNetworkTimeoutError past the limit: the database counts as out of reach
 */
export async function withinLimit<T>(
  limitMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  limit = new AbortController(),
): Promise<T> {
  const working = work(limit.signal);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new MongoNetworkTimeoutError('The database has not answered in time');
      reject(error);
      // Nobody hears any more how it ends.
      working.catch(() => undefined);
      limit.abort(error);
    }, limitMs);
  });
  try {
    return await Promise.race([working, late]);
  } finally {
    clearTimeout(timer);
  }
}
