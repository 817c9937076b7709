import mongoose from 'mongoose';
import { SyncError } from '../protocol/errors';
import { describeFailure, isDatabaseOutOfReach } from './failure';

const { MongoServerError, MongoNetworkError, MongoServerSelectionError } = mongoose.mongo;
const serverError = (code: number, errmsg: string): Error => new MongoServerError({ ok: 0, code, errmsg });

describe('isDatabaseOutOfReach', () => {
  it.each([
    ['a lost connection', new MongoNetworkError('connection 3 to 10.0.0.7:27017 closed')],
    ['no primary', new MongoServerSelectionError('timed out', { servers: new Map() } as never)],
    ["Mongoose's own word for it", new mongoose.Error.MongooseServerSelectionError('timed out')],
    ['a step-down', serverError(10107, 'not primary')],
    ['a socket of the driver that broke', Object.assign(new Error('x'), { code: 'EPIPE', syscall: 'write' })],
    [
      'a read that waited for the majority and was interrupted',
      serverError(11601, 'operation was interrupted'),
    ],
    ['a time limit', serverError(50, 'operation exceeded time limit')],
  ])('knows %s', (_what, error) => {
    expect(isDatabaseOutOfReach(error)).toBe(true);
  });

  it.each([
    ['a duplicate key', serverError(11000, 'E11000')],
    ['a bad hint', serverError(2, 'bad hint')],
    ["the host's error with a code that is alike", Object.assign(new Error('quota'), { code: 50 })],
    ['an error of Node', Object.assign(new Error('not found'), { code: 'ENOENT' })],
    ['a thrown text', 'MongoNetworkError'],
  ])('does not take %s for it', (_what, error) => {
    expect(isDatabaseOutOfReach(error)).toBe(false);
  });
});

describe('describeFailure', () => {
  it('says the name, the code and the place, and nothing that may be data', () => {
    const errors = [
      serverError(11000, 'E11000 dup key: { email: "alice@example.org" }'),
      new SyntaxError('Unexpected token in alice@example.org'),
      new Error('no such customer: alice@example.org'),
      Object.assign(new Error('alice@example.org'), { code: 'alice@example.org' }),
    ];
    for (const error of errors) {
      const text = describeFailure(error);
      expect(text).not.toContain('alice');
      expect(text).toContain(error.name);
      expect(text).toContain('failure.spec');
    }
    expect(describeFailure(errors[0])).toMatch(/^MongoServerError 11000$/m);
    expect(describeFailure('alice@example.org')).toBe('a thrown string');
  });

  it('keeps the message where it is about code', () => {
    expect(describeFailure(new TypeError('x is not a function'))).toContain('x is not a function');
    expect(describeFailure(new SyncError('configuration', 'option prefix'))).toContain('option prefix');
  });
});
