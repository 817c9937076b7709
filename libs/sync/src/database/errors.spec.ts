import { dirname, join } from 'node:path';
import mongoose from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import {
  codeOf,
  errorKind,
  isAboutDocument,
  isDatabaseError,
  isPassing,
  isRetryable,
  isSnapshotLoss,
  isSocketError,
  mayBeCommitted,
  MONGO_CODES,
} from './errors';

const {
  MongoError,
  MongoNetworkError,
  MongoNetworkTimeoutError,
  MongoServerError,
  MongoServerSelectionError,
} = mongoose.mongo;
const answered = (code: number, text = 'no'): Error => new MongoServerError({ ok: 0, code, errmsg: text });

function labelled(label: string): Error {
  const error = new MongoError('x');
  error.addErrorLabel(label);
  return error;
}

const failed = (syscall: string | undefined, code: string): Error =>
  Object.assign(new Error(), syscall === undefined ? { code } : { syscall, code });

/** What says that the database cannot be asked now, by its code. */
const MOMENTS = [
  ...[6, 7, 43, 50, 64, 89, 91, 112, 133, 134, 189, 202, 237, 239, 246, 251, 262, 290, 365, 371],
  ...[384, 9001, 10058, 10107, 11600, 11601, 11602, 13388, 13435, 13436],
];

describe('an error of the database', () => {
  it.each<[string, Error]>([
    ['a lost connection', new MongoNetworkError('connection 3 to 10.0.0.7:27017 closed')],
    ['an answer that is late', new MongoNetworkTimeoutError('late')],
    ['no primary', new MongoServerSelectionError('timed out', { servers: new Map() } as never)],
    ["Mongoose's own word for it", new mongoose.Error.MongooseServerSelectionError('timed out')],
    [
      "Mongoose's word before it is connected",
      new mongoose.Error('Operation `users.findOne()` buffering timed out after 10000ms'),
    ],
    ['a pool that was cleared', Object.assign(new Error('cleared'), { name: 'MongoPoolClearedError' })],
    ['the same of older drivers', Object.assign(new Error('cleared'), { name: 'PoolClearedOnNetworkError' })],
    ['a client that is closing', Object.assign(new Error('closed'), { name: 'MongoTopologyClosedError' })],
    ['a socket of the driver that broke', failed('write', 'EPIPE')],
    ['a conflict', labelled('TransientTransactionError')],
    ["the server's own advice", labelled('RetryableError')],
    ...MOMENTS.map((code): [string, Error] => [`code ${code}`, answered(code)]),
  ])('is one of the moment: %s', (_what, error) => {
    expect(isPassing(error)).toBe(true);
    expect(isDatabaseError(error)).toBe(true);
  });

  it.each([
    ['a duplicate key', answered(11000, 'E11000')],
    ['a bad hint', answered(2, 'bad hint')],
    ['missing rights', answered(13)],
    ["the host's error with a code that is alike", Object.assign(new Error('quota'), { code: 50 })],
    ['a code that is a text', Object.assign(answered(2), { code: '43' })],
    ['an error of Node', Object.assign(new Error('not found'), { code: 'ENOENT' })],
    ['another error of Mongoose', new mongoose.Error('Can not use populate here')],
    ['a name in a message', new TypeError('MongoNetworkError')],
    ['a thrown text', 'MongoNetworkError'],
    ['what only looks like one', { name: 'MongoNetworkError', code: 43 }],
  ])('is none of the moment: %s', (_what, error) => {
    expect(isPassing(error)).toBe(false);
    expect(isRetryable(error)).toBe(false);
  });

  it('is one of the moment where the driver itself fails over a version of the topology in raw bytes', () => {
    // Mongoose's own one, wherever that is.
    const [driver, paths] = ['mongodb', [require.resolve('mongoose')]];
    const { compareTopologyVersion } = jest.requireActual<{
      readonly compareTopologyVersion: (one: unknown, other: unknown) => number;
    }>(join(dirname(require.resolve(driver, { paths })), 'sdam/server_description'));
    let thrown: unknown;
    try {
      compareTopologyVersion(Buffer.alloc(8), { processId: new mongoose.mongo.ObjectId() });
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TypeError);
    expect(isPassing(thrown)).toBe(true);
  });

  it('means the same wherever it comes up: what is waited out is run again, and read again', () => {
    for (const code of MOMENTS) {
      // A caller's own time limit would only pass again.
      expect([code, isRetryable(answered(code))]).toEqual([code, code !== MONGO_CODES.MaxTimeMSExpired]);
      expect([code, mayBeCommitted(answered(code))]).toEqual([code, true]);
      expect([code, isAboutDocument(code)]).toEqual([code, false]);
    }
  });

  it('has lost its snapshot by two codes of the server, and by nothing else', () => {
    for (const code of [239, 246]) expect(isSnapshotLoss(answered(code))).toBe(true);
    for (const error of [answered(43), answered(0), new Error('239'), { code: 239 }, 239, undefined])
      expect(isSnapshotLoss(error)).toBe(false);
  });

  it('is about a document unless it is of the moment, or would meet any document', () => {
    // Geometry, a language, parallel arrays, a hashed list, nesting, size, a record id, and what is not known yet.
    for (const code of [16755, 13027, 17262, 171, 16766, 15, 2, 17419, 5894900, 121, 11000, 9_999_999])
      expect([code, isAboutDocument(code)]).toEqual([code, true]);
    for (const code of [1, 13, 18, 26, 166, 257, 263, 301, 323, 8000, 14031])
      expect([code, isAboutDocument(code)]).toEqual([code, false]);
  });

  it('has no code twice in the list of names', () => {
    const codes = Object.values(MONGO_CODES);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it('keeps its code to itself where it is not of the database', () => {
    expect(codeOf(answered(50))).toBe(50);
    for (const error of [Object.assign(new Error('x'), { code: 50 }), new SyncError('busy', 'x'), 50, null])
      expect(codeOf(error)).toBeUndefined();
  });
});

describe('a broken socket', () => {
  it('is known by what the system said', () => {
    expect(isSocketError(failed('write', 'EPIPE'))).toBe(true);
    expect(isSocketError(failed('read', 'ECONNRESET'))).toBe(true);
    // What Node says when the other side has ended the connection before.
    expect(isSocketError(failed(undefined, 'EPIPE'))).toBe(true);
  });

  it('is nothing else: no server that refuses, no missing file, no error of the app', () => {
    const others = [failed('connect', 'ECONNREFUSED'), failed('open', 'ENOENT'), failed('write', 'EBADF')];
    for (const error of [...others, new Error('write EPIPE'), 'EPIPE', null])
      expect(isSocketError(error)).toBe(false);
  });
});

describe('errorKind', () => {
  it('names the kind and the code of the server or the system, and nothing of the text', () => {
    const killed = new MongoServerError({ message: 'secret', code: 237, codeName: 'CursorKilled' });
    expect(errorKind(killed)).toBe('MongoServerError CursorKilled');
    expect(errorKind(new MongoServerError({ message: 'secret', code: 237 }))).toBe('MongoServerError 237');
    expect(errorKind(Object.assign(new TypeError('secret'), { code: 'ECONNRESET' }))).toBe(
      'TypeError ECONNRESET',
    );
    expect(errorKind(new RangeError('secret'))).toBe('RangeError');
  });

  it('leaves out a code that is no code, and what is no error', () => {
    expect(errorKind(Object.assign(new Error('secret'), { code: { text: 'secret' } }))).toBe('Error');
    expect(errorKind('secret')).toBe('unknown');
    expect(errorKind(undefined)).toBe('unknown');
  });
});
