import mongoose from 'mongoose';

/**
 * An error of ours that asks for the whole transaction to be tried again. It extends the driver's own error and
 * carries its label: `withTransaction` of the app's own code would not retry it otherwise.
 */
export class TransientSyncError extends mongoose.mongo.MongoError {
  constructor(message: string) {
    super(message);
    this.addErrorLabel('TransientTransactionError');
  }

  override get name(): string {
    return 'TransientSyncError';
  }
}
