import type { mongo } from 'mongoose';
import type { JsonObject } from 'nest-offline-sync-protocol';
import { ownFields } from '../app-writes/target';
import { contentHash, TOMBSTONE_HASH } from '../codec/content-hash';
import { SYNC_FIELDS, type StoredDocument } from '../codec/stored-document';
import type { SyncedCollection } from '../collections/collection';
import { encodeBy } from '../codec/wire-codec';
import type { DocumentHere } from './difference';

/** A collection as it is compared with the log: by the app that knows its schema, or by the command line that does not. */
export interface ComparedCollection {
  readonly name: string;
  readonly store: mongo.Collection<StoredDocument>;
  /** What clients see of a stored document. */
  readonly encode: (stored: StoredDocument) => JsonObject;
  /** Whether other code's writes are recorded by themselves, after a moment. */
  readonly isCaptured: boolean;
  /** Where documents without a scope are taken in by a field of theirs. */
  readonly scopeField?: string;
  readonly livesIn: (scopeId: string) => boolean;
}

export function comparedCollection(collection: SyncedCollection): ComparedCollection {
  const { name, store, rules } = collection;
  const { form, capture } = rules;
  const { scopeField } = capture ?? {};
  return {
    name,
    store,
    encode: (stored) => encodeBy(form, stored),
    isCaptured: capture !== undefined,
    ...(scopeField === undefined ? {} : { scopeField }),
    livesIn: (scopeId) => collection.livesIn(scopeId),
  };
}

/** What is compared of a document of the scope. */
export function documentHere(stored: StoredDocument, { encode }: ComparedCollection): DocumentHere {
  const [version, hash] = [textAt(stored, SYNC_FIELDS.version), textAt(stored, SYNC_FIELDS.hash)];
  const deleted = stored[SYNC_FIELDS.deleted] === true;
  const right = (): string => (deleted ? TOMBSTONE_HASH : contentHash(ownFields(stored)));
  return {
    at: 'here',
    version,
    deleted,
    hash: hash === undefined ? 'none' : hash === right() ? 'right' : 'wrong',
    data: deleted ? null : encode(stored),
  };
}

export function textAt(stored: StoredDocument, field: string): string | undefined {
  const value = stored[field];
  return typeof value === 'string' ? value : undefined;
}
