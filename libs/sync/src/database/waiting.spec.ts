import mongoose from 'mongoose';
import { CONFLICT_PAUSE, fullJitter, OUTAGE_PAUSE, Turns, within } from './waiting';

describe('within', () => {
  const never = new Promise<never>(() => undefined);

  it('gives what comes in time, and throws what fails in time', async () => {
    expect(await within(60_000, () => Promise.resolve('done'))).toBe('done');
    await expect(within(60_000, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  });

  it('takes a database that does not answer for out of reach, and tells the work to stop', async () => {
    let heard: AbortSignal | undefined;
    const hanging = within(1, (signal) => {
      heard = signal;
      return never;
    });
    await expect(hanging).rejects.toThrow(mongoose.mongo.MongoNetworkTimeoutError);
    expect(heard?.aborted).toBe(true);
  });

  it('gives or throws what the caller has for that case', async () => {
    expect(
      await within(
        1,
        () => never,
        () => 'late',
      ),
    ).toBe('late');
    const late = (): never => {
      throw new RangeError('late');
    };
    await expect(within(1, () => never, late)).rejects.toThrow(RangeError);
  });

  it('does not hear work that fails after the limit', async () => {
    let fail: (error: Error) => void = () => undefined;
    const work = new Promise<never>((_, reject) => (fail = reject));
    expect(
      await within(
        1,
        () => work,
        () => 'late',
      ),
    ).toBe('late');
    fail(new Error('nobody listens'));
    await new Promise(setImmediate);
  });
});

describe('fullJitter', () => {
  it('doubles its longest wait with every failure, up to a bound', () => {
    const longest = (bounds: typeof CONFLICT_PAUSE, failures: number[]): number[] =>
      failures.map((count) => fullJitter(count, bounds, 1));
    expect(longest(OUTAGE_PAUSE, [1, 2, 3, 4, 5, 6, 7, 100, 10_000])).toEqual([
      100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000, 2_000,
    ]);
    expect(longest(CONFLICT_PAUSE, [0, 1, 3, 5, 6, 50])).toEqual([4, 8, 32, 128, 200, 200]);
  });

  it('draws from all of that time, so that processes do not come back together', () => {
    expect([0, 0.25, 0.5].map((random) => fullJitter(3, OUTAGE_PAUSE, random))).toEqual([0, 100, 200]);
    expect(fullJitter(50, CONFLICT_PAUSE, 0)).toBe(0);
    expect(fullJitter(50, CONFLICT_PAUSE, 0.25)).toBe(50);
  });
});

describe('Turns', () => {
  it('lets so many run side by side, the others in the order in which they came', async () => {
    const turns = new Turns(2);
    const ends: (() => void)[] = [];
    const started: number[] = [];
    const works = [0, 1, 2, 3].map((work) =>
      turns.run(async () => {
        started.push(work);
        await new Promise<void>((resolve) => (ends[work] = resolve));
        return work;
      }),
    );
    expect(started).toEqual([0, 1]);
    ends[1]?.();
    expect(await works[1]).toBe(1);
    expect(started).toEqual([0, 1, 2]);
    ends[0]?.();
    await works[0];
    expect(started).toEqual([0, 1, 2, 3]);
    ends[2]?.();
    ends[3]?.();
    expect(await Promise.all(works)).toEqual([0, 1, 2, 3]);
  });

  it('gives the turn on when the work fails', async () => {
    const turns = new Turns(1);
    const failing = turns.run(() => Promise.reject(new Error('no')));
    const next = turns.run(() => Promise.resolve('yes'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
    expect(await turns.run(() => Promise.resolve('again'))).toBe('again');
  });
});
