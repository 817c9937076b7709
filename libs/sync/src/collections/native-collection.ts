import type { StoredDocument } from '../codec/stored-document';
import { markOurs } from '../database/engine-handles';
import mongoose, { type Connection, type mongo } from 'mongoose';

/** What may differ between what is stored and what the driver makes of it. */
export const DECODING = {
  promoteValues: true,
  promoteLongs: true,
  promoteBuffers: false,
  useBigInt64: false,
  // A stored pattern that JavaScript does not know would otherwise make the document unreadable.
  bsonRegExp: true,
};

/** A raw document as a {@link nativeCollection} gives it. */
export function decodeStored(bytes: Uint8Array): StoredDocument {
  return mongoose.mongo.BSON.deserialize(bytes, { ...DECODING, validation: { utf8: false } });
}

/** The driver's collection with every option said that the host's own client settings could change. */
export function nativeCollection(connection: Connection, name: string): mongo.Collection<StoredDocument> {
  const db = connection.getClient().db(connection.name);
  const collection = db.collection<StoredDocument>(name, {
    readConcern: { level: 'majority' },
    writeConcern: { w: 'majority' },
    readPreference: 'primary',
    ignoreUndefined: true,
    ...DECODING,
    serializeFunctions: false,
    raw: false,
    // One string of bytes that are no UTF-8 would otherwise stop every reader of the scope.
    enableUtf8Validation: false,
  });
  return markOurs(collection);
}
