import mongoose from 'mongoose';
import { errorKind } from './error-kind';

describe('errorKind', () => {
  it('names the kind and the code of the server or the system, and nothing of the text', () => {
    const { MongoServerError } = mongoose.mongo;
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
