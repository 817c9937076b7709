import { Injectable } from '@nestjs/common';
import mongoose, { type mongo } from 'mongoose';
import type { StoredDocument } from '../collections/collection';
import { CollectionRegistry } from '../collections/collection-registry.service';
import { SYNC_FIELDS } from '../collections/stored-document';
import { ZERO_VERSION } from '../hlc/hlc';
import { OplogRepository } from '../oplog/oplog.repository';
import { asLostConnection } from '../oplog/retry.repository';
import type { HeadRecord } from '../oplog/records';
import type { Rejection } from '../protocol/errors';
import type { DocumentWrite, HeadMove, Plan } from './plan';
import { TransientSyncError } from './transient-error.repository';

/**
 * The database refused one document (a unique index, a validator of the collection). The transaction is gone; the
 * change is answered with the rejection, the rest is planned again.
 */
export class RefusedWrite extends Error {
  constructor(
    readonly writer: DocumentWrite['writer'],
    readonly rejection: Rejection,
  ) {
    super(rejection.message);
  }
}

/** Carries a plan out, inside a transaction, and decides nothing. Every filter has the scope; every count is checked. */
@Injectable()
export class PlanWriter {
  constructor(
    private readonly oplog: OplogRepository,
    private readonly collections: CollectionRegistry,
  ) {}

  /**
   * Writes everything but the heads: see {@link moveHeads}.
   *
   * @throws RefusedWrite, TransientSyncError, or an error of the driver, unchanged but for a lost connection that it
   *   does not own up to
   */
  async write(session: mongo.ClientSession, plan: Plan): Promise<void> {
    try {
      await this.writeAll(session, plan);
    } catch (error) {
      throw (isTooLarge(error) && oversizeWrite(plan)) || asLostConnection(error);
    }
  }

  private async writeAll(session: mongo.ClientSession, plan: Plan): Promise<void> {
    const byCollection = new Map<string, DocumentWrite[]>();
    for (const write of plan.writes) {
      const writes = byCollection.get(write.collection);
      if (writes) writes.push(write);
      else byCollection.set(write.collection, [write]);
    }
    for (const [name, writes] of byCollection) await this.writeDocuments(session, name, writes);
    if (plan.entries.length > 0) await this.oplog.entries.insertMany([...plan.entries], { session });
    if (plan.receipts.length > 0) await this.oplog.receipts.insertMany([...plan.receipts], { session });
  }

  private async writeDocuments(
    session: mongo.ClientSession,
    name: string,
    writes: readonly DocumentWrite[],
  ): Promise<void> {
    const store = this.collections.get(name)?.store;
    if (!store) throw new Error(`Collection ${name} is not registered`);
    try {
      const result = await store.bulkWrite(writes.map(documentOperation), { session, ordered: true });
      const replaced = writes.filter((write) => write.kind === 'replace').length;
      if (result.matchedCount !== replaced)
        throw new TransientSyncError('A document changed beside the engine while it was written');
    } catch (error) {
      throw refusedWrite(error, writes) ?? error;
    }
  }

  /** Compare-and-set: a head that was only read, or set to what it was, would protect nothing. */
  async moveHeads(session: mongo.ClientSession, moves: readonly HeadMove[]): Promise<void> {
    if (moves.length === 0) return;
    const result = await this.oplog.heads
      .bulkWrite(moves.map(headOperation), { session, ordered: true })
      .catch((error: unknown) => Promise.reject(asLostConnection(error) as Error));
    const known = moves.filter((move) => move.fromSeq !== undefined).length;
    if (result.matchedCount !== known || result.insertedCount !== moves.length - known)
      throw new TransientSyncError('Another writer has moved the scope head');
  }
}

function documentOperation(write: DocumentWrite): mongo.AnyBulkWriteOperation<StoredDocument> {
  if (write.kind === 'insert') return { insertOne: { document: write.document as never } };
  const { _id, ...replacement } = write.document;
  return {
    replaceOne: {
      filter: {
        _id: _id as never,
        [SYNC_FIELDS.scope]: write.scopeId,
        // Whatever the app left there that is no version counts as none.
        [SYNC_FIELDS.version]: write.expectedVersion ?? { $not: { $type: 'string' } },
      },
      replacement,
    },
  };
}

function headOperation({
  scopeId,
  fromSeq,
  version,
  seq,
}: HeadMove): mongo.AnyBulkWriteOperation<HeadRecord> {
  if (fromSeq === undefined)
    return { insertOne: { document: { _id: scopeId, version, seq, floor: ZERO_VERSION, floorSeq: 0 } } };
  return { updateOne: { filter: { _id: scopeId, seq: fromSeq }, update: { $set: { version, seq } } } };
}

/** MongoDB's own bound, whatever limits.maxDocumentBytes says: merges can grow a document beyond what one push may hold. */
const LARGEST_BSON = 16 << 20;
/** What the engine's fields and the entry around a document may take. */
const BSON_MARGIN = 16 << 10;
const BSON_TOO_LARGE = 10334;

/** The driver refuses an oversize document itself, as an argument or when its buffer ends. */
function isTooLarge(error: unknown): boolean {
  const { MongoInvalidArgumentError, MongoServerError } = mongoose.mongo;
  if (error instanceof MongoServerError) return error.code === BSON_TOO_LARGE;
  return error instanceof MongoInvalidArgumentError || error instanceof RangeError;
}

/** The write whose document, or whose entry's text, is larger than MongoDB takes. */
function oversizeWrite(plan: Plan): RefusedWrite | undefined {
  const texts = new Map(plan.entries.map((entry) => [entry.version, entry.wire]));
  for (const { document, writer } of plan.writes) {
    const text = texts.get(String(document[SYNC_FIELDS.version])) ?? '';
    const bytes = Math.max(mongoose.mongo.BSON.calculateObjectSize(document), Buffer.byteLength(text));
    if (bytes > LARGEST_BSON - BSON_MARGIN)
      return new RefusedWrite(writer, {
        code: 'document_too_large',
        message:
          'The document would be larger than the 16 MB that MongoDB takes; make it smaller and send it again.',
      });
  }
  return undefined;
}

const DUPLICATE_KEY = 11000;
const DOCUMENT_VALIDATION = 121;

/** The answer never holds the server's text: it names other people's keys. */
function refusedWrite(error: unknown, writes: readonly DocumentWrite[]): RefusedWrite | undefined {
  if (!(error instanceof mongoose.mongo.MongoBulkWriteError)) return undefined;
  const first = [error.writeErrors].flat()[0];
  const write = first && writes[first.index];
  if (!write) return undefined;
  if (first.code === DOCUMENT_VALIDATION)
    return new RefusedWrite(write.writer, {
      code: 'validation_failed',
      message:
        'The document does not satisfy the validation rules of its collection; mend it and send it again.',
    });
  if (first.code !== DUPLICATE_KEY) return undefined;
  const { keyPattern = {} } = (first.err.errInfo ?? first.err) as { keyPattern?: Record<string, unknown> };
  const ofId = Object.keys(keyPattern).join() === '_id' || /index: _id_ /.test(first.errmsg ?? '');
  return new RefusedWrite(
    write.writer,
    ofId
      ? { code: 'id_unavailable', message: 'This doc_id cannot be used here; choose another one.' }
      : {
          code: 'unique_violation',
          message:
            'A field that must be unique has a value that is taken already; change it and send it again.',
        },
  );
}
