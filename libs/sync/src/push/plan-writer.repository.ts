import { Injectable } from '@nestjs/common';
import mongoose, { type mongo } from 'mongoose';
import { CollectionRegistry } from '../collections/collection-registry.service';
import { SYNC_FIELDS } from '../collections/stored-document';
import { ZERO_VERSION } from '../hlc/hlc';
import { OplogRepository } from '../oplog/oplog.repository';
import { asLostConnection } from '../oplog/retry.repository';
import type { EntryRecord, HeadRecord } from '../oplog/records';
import type { Rejection } from '../protocol/errors';
import type { DocumentWrite, HeadMove, Plan } from './plan';
import { TransientSyncError } from './transient-error.repository';
import {
  insertAll,
  LARGEST_BSON,
  updateAll,
  type Target,
  type UpdateStatement,
  type WriteFailure,
  type WriteReport,
} from './write-commands.repository';

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

/**
 * A mutation of the plan has a receipt already: it was answered before. The transaction is gone; with the receipts
 * looked up, the plan gives the first answer again.
 */
export class ReceiptExists extends Error {
  override readonly name = 'ReceiptExists';
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
   * @throws ReceiptExists, RefusedWrite, TransientSyncError, or an error of the driver, unchanged but for a lost
   *   connection that it does not own up to
   */
  async write(session: mongo.ClientSession, plan: Plan): Promise<void> {
    try {
      await this.writeAll(session, plan);
    } catch (error) {
      throw (isTooLarge(error) && oversizeWrite(plan)) || asLostConnection(error);
    }
  }

  private async writeAll(session: mongo.ClientSession, plan: Plan): Promise<void> {
    // Before the documents: what was answered before must not be refused by a unique index that it itself has filled.
    if (plan.receipts.length > 0) await this.writeReceipts(session, plan);
    const byCollection = new Map<string, DocumentWrite[]>();
    for (const write of plan.writes) {
      const writes = byCollection.get(write.collection);
      if (writes) writes.push(write);
      else byCollection.set(write.collection, [write]);
    }
    for (const [name, writes] of byCollection) await this.writeDocuments(session, name, writes);
    if (plan.entries.length > 0) await this.writeEntries(session, plan.entries);
  }

  private async writeEntries(session: mongo.ClientSession, entries: readonly EntryRecord[]): Promise<void> {
    const sizeAt = (index: number): number => entries[index]?.wire.length ?? 0;
    expectNoFailure(await insertAll(this.target(this.oplog.entries), entries, sizeAt, session));
  }

  private async writeReceipts(session: mongo.ClientSession, { receipts }: Plan): Promise<void> {
    const target = this.target(this.oplog.receipts);
    const report = await insertAll(target, receipts, () => RECEIPT_CHARS, session);
    if (report.failure?.code === DUPLICATE_KEY) throw new ReceiptExists();
    expectNoFailure(report);
  }

  private async writeDocuments(
    session: mongo.ClientSession,
    name: string,
    writes: readonly DocumentWrite[],
  ): Promise<void> {
    const store = this.collections.get(name)?.store;
    if (!store) throw new Error(`Collection ${name} is not registered`);
    const target = this.target(store);
    for (const run of runsOfKind(writes)) {
      const sizeAt = (index: number): number => run[index]?.chars ?? 0;
      const report = await (run[0]?.kind === 'insert'
        ? insertAll(
            target,
            run.map(({ document }) => document),
            sizeAt,
            session,
          )
        : updateAll(target, run.map(replacement), sizeAt, session));
      if (report.failure) throw refusedWrite(report.failure, run);
      if (report.count !== run.length)
        throw new TransientSyncError('A document changed beside the engine while it was written');
    }
  }

  private target({ collectionName: name }: { readonly collectionName: string }): Target {
    return { db: this.oplog.db, name };
  }

  /** Compare-and-set: a head that was only read, or set to what it was, would protect nothing. */
  async moveHeads(session: mongo.ClientSession, moves: readonly HeadMove[]): Promise<void> {
    const target = this.target(this.oplog.heads);
    const known = moves.filter((move) => move.fromSeq !== undefined).map(headUpdate);
    const first = moves.filter((move) => move.fromSeq === undefined).map(newHead);
    try {
      const moved = await updateAll(target, known, () => HEAD_CHARS, session);
      expectNoFailure(moved);
      if (moved.count !== known.length)
        throw new TransientSyncError('Another writer has moved the scope head');
      expectNoFailure(await insertAll(target, first, () => HEAD_CHARS, session));
    } catch (error) {
      throw asLostConnection(error);
    }
  }
}

/** The writes in their order, cut where inserts and replacements take turns: what gave a unique value up comes before what took it. */
function runsOfKind(writes: readonly DocumentWrite[]): (readonly DocumentWrite[])[] {
  const runs: DocumentWrite[][] = [];
  for (const write of writes) {
    const run = runs.at(-1);
    if (run?.[0]?.kind === write.kind) run.push(write);
    else runs.push([write]);
  }
  return runs;
}

function replacement({ document, scopeId, expectedVersion }: DocumentWrite): UpdateStatement {
  const { _id, ...u } = document;
  return {
    q: {
      _id,
      [SYNC_FIELDS.scope]: scopeId,
      // Whatever the app left there that is no version counts as none.
      [SYNC_FIELDS.version]: expectedVersion ?? { $not: { $type: 'string' } },
    },
    u,
  };
}

function headUpdate({ scopeId, fromSeq, version, seq }: HeadMove): UpdateStatement {
  return { q: { _id: scopeId, seq: fromSeq }, u: { $set: { version, seq } } };
}

function newHead({ scopeId, version, seq }: HeadMove): HeadRecord {
  return { _id: scopeId, version, seq, floor: ZERO_VERSION, floorSeq: 0 };
}

/** Of the engine's own records nothing is ever refused but by a conflict, and that fails the command as a whole. */
function expectNoFailure({ failure }: WriteReport): void {
  if (!failure) return;
  throw new mongoose.mongo.MongoServerError({
    code: failure.code,
    errmsg: 'A write of the engine was refused',
  });
}

/** No head and no receipt is longer as JSON, whatever their ids. */
const HEAD_CHARS = 1000;
const RECEIPT_CHARS = 1500;

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
function refusedWrite(
  { index, code, keyPattern, message }: WriteFailure,
  writes: readonly DocumentWrite[],
): Error {
  const writer = writes[index]?.writer;
  if (!writer || (code !== DOCUMENT_VALIDATION && code !== DUPLICATE_KEY))
    return new mongoose.mongo.MongoServerError({ code, errmsg: 'The database refused a document' });
  if (code === DOCUMENT_VALIDATION)
    return new RefusedWrite(writer, {
      code: 'validation_failed',
      message:
        'The document does not satisfy the validation rules of its collection; mend it and send it again.',
    });
  const ofId = Object.keys(keyPattern).join() === '_id' || message.includes('index: _id_ ');
  return new RefusedWrite(
    writer,
    ofId
      ? { code: 'id_unavailable', message: 'This doc_id cannot be used here; choose another one.' }
      : {
          code: 'unique_violation',
          message:
            'A field that must be unique has a value that is taken already; change it and send it again.',
        },
  );
}
