import { Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import {
  type DocId,
  type DocumentsAnswer,
  type DocumentsRequest,
  type FullLine,
  SyncError,
  parseDocumentsQuery,
} from 'nest-offline-sync-protocol';
import { SYNC_FIELDS, type StoredDocument, type StoredId } from '../codec/stored-document';
import type { SyncedCollection } from '../collections/collection';
import { CollectionRegistry } from '../collections/collection-registry';
import { decodeStored } from '../collections/native-collection';
import { within } from '../database/waiting';
import { Admission } from '../identity/admission';
import type { SyncIdentity } from '../identity/identity';
import { READ_HANGS_MS, READ_TIME_LIMIT_MS } from '../log/oplog';
import { encodeLine } from './lines';

/** An answer grows no further after about this many bytes of documents (invariant 9). */
const MAX_ANSWER_BYTES = 8 << 20;

/** Reads single documents of a scope as they stand (invariants 5, 9). */
@Injectable()
export class DocumentsService {
  constructor(
    private readonly collections: CollectionRegistry,
    private readonly admission: Admission,
  ) {}

  /**
   * Each id is answered once: with its document, as missing, or as remaining. An id of another scope is missing like one
   * that nobody has.
   *
   * @throws SyncError `malformed_request`, `invalid_doc_id`, `unknown_collection`, `forbidden`, `scope_forbidden`,
   *   `identity_changed`, `client_outdated`
   */
  async read(identity: SyncIdentity, request: DocumentsRequest): Promise<DocumentsAnswer> {
    const { collection: name, ids, ...envelope } = parseDocumentsQuery(request);
    const reader = await this.admission.admit(identity, envelope);
    const { scopeId } = reader;
    const [collection] = await this.collections.readable(reader, [name], 'collection');
    // It does not live in scopes of this kind.
    if (!collection) return { documents: [], missing: [...new Set(ids)], remaining: [] };
    const wanted = wantedOf(collection, scopeId, ids);
    const { lines, isCut } = await this.find(collection, scopeId, [...wanted.values()]);
    const found = new Map(lines.map((line) => [JSON.stringify(line.doc_id), line]));
    const absent = [...wanted.keys()].filter((key) => !found.has(key)).map((key) => JSON.parse(key) as DocId);
    return {
      documents: [...wanted.keys()].flatMap((key) => found.get(key) ?? []),
      missing: isCut ? [] : absent,
      remaining: isCut ? absent : [],
    };
  }

  private async find(
    collection: SyncedCollection,
    scopeId: string,
    ids: readonly StoredId[],
  ): Promise<{ lines: readonly FullLine[]; isCut: boolean }> {
    const filter = { [SYNC_FIELDS.scope]: scopeId, _id: { $in: ids } } as mongo.Filter<StoredDocument>;
    return within(READ_HANGS_MS, async (signal) => {
      const cursor = collection.store.find<Buffer>(filter, {
        raw: true,
        readConcern: { level: 'majority' },
        readPreference: 'primary',
        maxTimeMS: READ_TIME_LIMIT_MS,
        signal,
      });
      const lines: FullLine[] = [];
      let bytes = 0;
      try {
        while (await cursor.hasNext()) {
          for (const document of cursor.readBufferedDocuments()) {
            if (bytes >= MAX_ANSWER_BYTES) return { lines, isCut: true };
            bytes += document.length;
            const stored = decodeStored(document);
            // MongoDB takes a list that holds the scope for the scope: a document in two scopes is in none.
            if (stored[SYNC_FIELDS.scope] === scopeId)
              lines.push(JSON.parse(encodeLine(collection, stored)) as FullLine);
          }
        }
        return { lines, isCut: false };
      } finally {
        await cursor.close();
      }
    });
  }
}

/** The stored ids by the JSON of their wire ids: two ways to write one id (hex digits in capitals) are one. */
function wantedOf(
  { name, ids }: SyncedCollection,
  scopeId: string,
  asked: readonly DocId[],
): ReadonlyMap<string, StoredId> {
  return new Map(
    asked.map((id, index) => {
      const stored = ids.toStored(scopeId, id);
      if (stored === undefined)
        throw new SyncError('invalid_doc_id', `ids[${index}] is no id that a document of ${name} can have.`, {
          path: `ids[${index}]`,
        });
      return [JSON.stringify(ids.toWire(stored)), stored];
    }),
  );
}
