import mongoose from 'mongoose';
import { isInterruption, isSnapshotLoss } from './read-failure';

const { MongoServerError, MongoNetworkError, MongoNetworkTimeoutError } = mongoose.mongo;

function answered(code: number): Error {
  return new MongoServerError({ message: 'no', code });
}

describe('a full resync whose read failed', () => {
  it('has lost its snapshot by two codes of the server, and by nothing else', () => {
    for (const code of [239, 246]) expect(isSnapshotLoss(answered(code))).toBe(true);
    for (const error of [answered(43), answered(0), new Error('239'), { code: 239 }, 239, undefined])
      expect(isSnapshotLoss(error)).toBe(false);
  });

  it('reads on when the cursor, the primary or the connection is gone', () => {
    for (const code of [43, 237, 91, 189, 10107, 11600, 11601, 11602, 13435, 13436])
      expect(isInterruption(answered(code))).toBe(true);
    expect(isInterruption(new MongoNetworkError('reset'))).toBe(true);
    expect(isInterruption(new MongoNetworkTimeoutError('late'))).toBe(true);
    for (const name of ['MongoPoolClearedError', 'PoolClearedOnNetworkError'])
      expect(isInterruption(Object.assign(new Error('cleared'), { name }))).toBe(true);
  });

  it('fails for good with anything else', () => {
    for (const error of [
      answered(50),
      answered(0),
      Object.assign(new Error('43'), { code: '43' }),
      new TypeError('MongoNetwork'),
      { name: 'MongoNetworkError', code: 43 },
      'MongoNetworkError',
      undefined,
    ])
      expect(isInterruption(error)).toBe(false);
  });
});
