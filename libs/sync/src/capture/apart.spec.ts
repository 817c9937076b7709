import mongoose from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { apart } from './apart';

const { MongoNetworkError, MongoServerError } = mongoose.mongo;
const answered = (code: number): Error => new MongoServerError({ message: 'no', code });

/** Does all but the bad ones, which fail with an error. */
async function tried(
  count: number,
  bad: readonly number[],
  error: Error,
): Promise<{ done: number[]; left: number[] }> {
  const done: number[] = [];
  const left: number[] = [];
  const work = async (some: readonly number[]): Promise<void> => {
    await Promise.resolve();
    if (some.some((one) => bad.includes(one))) throw error;
    done.push(...some);
  };
  await apart(
    Array.from({ length: count }, (_, at) => at),
    work,
    (one) => left.push(one),
  );
  return { done, left };
}

describe('apart', () => {
  it('leaves those that fail by themselves, and does all others, in their order', async () => {
    const { done, left } = await tried(100, [0, 17, 18, 99], new TypeError('of these'));
    expect(left).toEqual([0, 17, 18, 99]);
    expect(done).toEqual(Array.from({ length: 100 }, (_, at) => at).filter((at) => !left.includes(at)));
    expect(await tried(1, [0], answered(121))).toEqual({ done: [], left: [0] });
  });

  it.each([
    ['no server can be asked', new MongoNetworkError('away')],
    ['there is no primary', answered(10107)],
    ['nobody may write', answered(13)],
    ['the disk is full', answered(14031)],
    ['the process stops', new SyncError('shutting_down', 'It stops')],
  ])('leaves nothing while %s', async (_, error) => {
    await expect(tried(10, [3], error)).rejects.toBe(error);
    await expect(tried(1, [0], error)).rejects.toBe(error);
  });

  it('does one that fails only for a moment', async () => {
    let failures = 0;
    const left: unknown[] = [];
    await apart(
      ['one'],
      () => (failures++ < 2 ? Promise.reject(new TypeError('once')) : Promise.resolve()),
      (one) => left.push(one),
    );
    expect(left).toEqual([]);
  });
});
