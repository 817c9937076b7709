import mongoose from 'mongoose';
import { isRetryable, mayBeCommitted } from './errors';
import { asLostConnection, TransientSyncError, UnknownCommitError } from './transaction';

const { MongoBulkWriteError, MongoError, MongoNetworkError, MongoServerError, MongoServerSelectionError } =
  mongoose.mongo;

function labelled(label: string): Error {
  const error = new MongoError('x');
  error.addErrorLabel(label);
  return error;
}

/** What the driver throws when no primary was found in time. It puts no label on it, not for a commit either. */
const noPrimary = new MongoServerSelectionError('no primary', {} as never);
const reset = new MongoNetworkError('reset');
const interrupted = new MongoServerError({ code: 11601, errmsg: 'operation was interrupted' });
const noSuchTransaction = new MongoServerError({ code: 251, errmsg: 'no such transaction' });
const socketError = Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' });

describe('after an error', () => {
  it('a transaction is run again for conflicts and lost connections, and for nothing else', () => {
    for (const error of [
      new TransientSyncError('moved'),
      labelled('TransientTransactionError'),
      noPrimary,
      reset,
      interrupted,
    ])
      expect(isRetryable(error)).toBe(true);
    for (const error of [
      labelled('UnknownTransactionCommitResult'),
      new MongoError('x'),
      new TypeError('x'),
      null,
    ])
      expect(isRetryable(error)).toBe(false);
  });

  it('of the commit, the commit is asked for again unless the server says that it was undone', () => {
    const driversSlip = new TypeError('error.hasErrorLabel is not a function');
    for (const error of [
      ...[labelled('UnknownTransactionCommitResult'), noPrimary, reset, socketError],
      ...[driversSlip, noSuchTransaction, interrupted],
    ])
      expect(mayBeCommitted(error)).toBe(true);
    const undone = new MongoServerError({ code: 251, errmsg: 'no such transaction' });
    undone.addErrorLabel('TransientTransactionError');
    const refused = new MongoServerError({ code: 11000, errmsg: 'duplicate' });
    for (const error of [labelled('TransientTransactionError'), new MongoError('x'), undone, refused])
      expect(mayBeCommitted(error)).toBe(false);
  });

  it('that leaves the commit unknown, nothing is run again, and the client is told what is safe', () => {
    const error = new UnknownCommitError(noPrimary);
    expect(isRetryable(error)).toBe(false);
    expect(error).toMatchObject({ code: 'unavailable', status: 503, retryAfterSeconds: 2 });
  });
});

describe('a connection that is lost', () => {
  const inBulkWrite = (error: Error): Error => new MongoBulkWriteError(error, {} as never);

  it('asks for the transaction again also where the driver does not say what it was', () => {
    for (const error of [inBulkWrite(reset), inBulkWrite(noPrimary), socketError]) {
      expect(isRetryable(error)).toBe(false);
      const lost = asLostConnection(error);
      expect(lost).toBeInstanceOf(MongoNetworkError);
      expect((lost as Error).cause).toBe(error);
      expect(isRetryable(lost)).toBe(true);
    }
  });

  it('is not what any other error is taken for', () => {
    const duplicate = new MongoBulkWriteError({ message: 'x', code: 11000 }, {} as never);
    for (const error of [duplicate, new TypeError('x'), reset, noPrimary, null])
      expect(asLostConnection(error)).toBe(error);
  });
});
