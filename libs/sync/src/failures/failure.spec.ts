import mongoose from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { describeFailure, retryAfter, toldFailure } from './failure';

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

describe('what a client is told of an error', () => {
  const told = (error: unknown) => toldFailure(error, () => 'the-id');

  it('is the same SyncError, and the log hears of it when the server is at fault', () => {
    const refusal = new SyncError('malformed_request', 'No.');
    expect(told(refusal)).toEqual({ told: refusal });
    const fault = told(new SyncError('configuration', 'option prefix'));
    expect(fault).toMatchObject({ told: { code: 'configuration' }, log: { level: 'error' } });
    expect(fault.log?.text).toContain('option prefix');
  });

  it('is the code of the refusal of the app’s own code', () => {
    const refusal = { getStatus: () => 429, getResponse: () => ({ message: 'Slowly.', retryAfter: 7 }) };
    expect(told(refusal)).toMatchObject({ told: { code: 'busy', status: 429, retryAfterSeconds: 7 } });
    expect(told(refusal).log).toBeUndefined();
  });

  it('is nothing but an id of what was not foreseen; the log has the same id and the place', () => {
    const { told: error, log } = told(serverError(11000, 'alice@example.org'));
    expect(error).toMatchObject({ code: 'internal', status: 500 });
    expect(error.message).toContain('the-id');
    expect(log?.text).toMatch(/the-id: MongoServerError 11000/);
    expect(`${error.message} ${String(log?.text)}`).not.toContain('alice');
  });

  it('has a time to wait where the same request is to be sent again', () => {
    expect(retryAfter(new SyncError('busy', ''))).toBe(2);
    expect(retryAfter(new SyncError('busy', '', { retryAfterSeconds: 9 }))).toBe(9);
    expect(retryAfter(new SyncError('forbidden', ''))).toBeUndefined();
  });
});
