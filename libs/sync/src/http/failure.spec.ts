import mongoose from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { describeFailure } from './failure';

const { MongoServerError } = mongoose.mongo;
const serverError = (code: number, errmsg: string): Error => new MongoServerError({ ok: 0, code, errmsg });

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
