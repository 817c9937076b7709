import { parseHlc, type LogChange, type LogOperation } from 'nest-offline-sync-protocol';
import type { IdCodec, IdTypes } from '../codec/id-codec';
import type { StoredDocument, StoredId } from '../codec/stored-document';
import { encodeDocument, encodeValue } from '../codec/wire-codec';
import { isObjectIdText } from '../codec/wire-forms';
import type { EntryRecord } from '../log/records';

/** A log entry of fastapi-offline-sync. Its `_id` is the version. */
export interface LegacyEntry {
  readonly _id: string;
  readonly timestamp?: unknown;
  readonly collection: string;
  /** The wire's id: a text or a number. */
  readonly doc_id: unknown;
  readonly operation: string;
  readonly data?: StoredDocument | null;
  readonly actor_id?: string;
  readonly scope_id: string;
  readonly parent_version?: string | null;
  /** Given by the upgrade. */
  readonly seq?: number;
}

/** What the upgrade adds to it. */
export type UpgradedEntry = Omit<EntryRecord, '_id'>;

/** An entry in this engine's form, under the version that it had: cursors of devices stay good. */
export function upgradedEntry(entry: LegacyEntry, seq: number, types: IdTypes): UpgradedEntry {
  const { _id: version, collection, scope_id: scope, actor_id: actor = scope, timestamp } = entry;
  const doc = legacyId(entry.doc_id, types);
  const operation: LogOperation = entry.operation === 'delete' ? 'delete' : 'upsert';
  const change: LogChange = {
    version,
    seq,
    collection,
    doc_id: wireIdOf(doc),
    operation,
    data: operation === 'delete' ? null : encodeDocument(entry.data ?? {}),
    parent_version: entry.parent_version || null,
  };
  const at = timestamp instanceof Date ? timestamp : new Date(parseHlc(version)?.ms ?? 0);
  return { scope, seq, version, collection, doc, operation, actor, at, wire: JSON.stringify(change) };
}

/** The stored id: there each text of 24 hex digits becomes an ObjectId. */
export function legacyId(docId: unknown, { ObjectId }: IdTypes): StoredId {
  return isObjectIdText(docId) ? new ObjectId(docId) : docId;
}

function wireIdOf(storedId: StoredId): ReturnType<IdCodec['toWire']> {
  const wire = encodeValue(storedId);
  return typeof wire === 'string' || typeof wire === 'number' ? wire : JSON.stringify(wire);
}

/** Whether a version is one of this engine's too. There the counter can outgrow its four digits. */
export function isUsable(version: string): boolean {
  return parseHlc(version) !== undefined;
}
