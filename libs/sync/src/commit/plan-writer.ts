import { Injectable } from '@nestjs/common';
import mongoose, { type mongo } from 'mongoose';
import { ZERO_VERSION, type Rejection } from 'nest-offline-sync-protocol';
import { CollectionRegistry } from '../collections/collection-registry';
import { isSyncField, SYNC_FIELDS } from '../codec/stored-document';
import { OplogRepository } from '../log/oplog';
import { asLostConnection, TransientSyncError } from '../database/transaction';
import { codeOf, MONGO_CODES } from '../database/errors';
import type { HeadRecord, ReceiptRecord } from '../log/records';
import type { PlannedWrite, HeadMove, Plan, Writer } from '../plan/plan';
import {
  CANNOT_BE_STORED,
  isTooDeep,
  RefusedWrite,
  rejectionFor,
  TOO_LARGE,
  type WriteFailure,
} from './refused-write';
import { plannedWrite } from '../plan/recording';
import {
  insertAll,
  LARGEST_BSON,
  updateAll,
  type Target,
  type UpdateStatement,
  type WriteReport,
} from './write-commands';

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
   *   connection that it does not report as one
   */
  async write(session: mongo.ClientSession, plan: Plan): Promise<void> {
    try {
      await this.writeAll(session, plan);
    } catch (error) {
      throw (isUnsendable(error) && unsendableWrite(plan)) || asLostConnection(error);
    }
  }

  private async writeAll(session: mongo.ClientSession, plan: Plan): Promise<void> {
    // Before the documents: what was answered before must not be refused by a unique index that it itself has filled.
    if (plan.receipts.length > 0) await this.writeReceipts(session, plan);
    const byCollection = new Map<string, PlannedWrite[]>();
    for (const write of plan.writes) {
      const writes = byCollection.get(write.collection);
      if (writes) writes.push(write);
      else byCollection.set(write.collection, [write]);
    }
    for (const [name, writes] of byCollection) await this.writeDocuments(session, name, writes, plan);
    if (plan.entries.length > 0) await this.writeEntries(session, plan);
  }

  private async writeEntries(session: mongo.ClientSession, plan: Plan): Promise<void> {
    const { entries, steps } = plan;
    const sizeAt = (index: number): number => entries[index]?.wire.length ?? 0;
    const { failure } = await insertAll(this.target(this.oplog.entries), entries, sizeAt, session);
    if (!failure) return;
    const written = steps[failure.index]?.state.written;
    // Of an entry only its text can be too large; it is the engine's collection, which has no other rules.
    const isTooLarge = whyUnsendable(entries[failure.index]?.wire ?? '') !== undefined;
    throw written && isTooLarge
      ? new RefusedWrite(written.writer, TOO_LARGE, plan)
      : serverError(failure.code);
  }

  private async writeReceipts(session: mongo.ClientSession, { receipts }: Plan): Promise<void> {
    const target = this.target(this.oplog.receipts);
    const report = await insertAll(target, receipts, charsOf(receipts), session);
    if (report.failure?.code === MONGO_CODES.DuplicateKey) throw new ReceiptExists();
    expectNoFailure(report);
  }

  private async writeDocuments(
    session: mongo.ClientSession,
    name: string,
    writes: readonly PlannedWrite[],
    plan: Plan,
  ): Promise<void> {
    const store = this.collections.get(name)?.store;
    if (!store) throw new Error(`Collection ${name} is not registered`);
    const target = this.target(store);
    for (const run of runsOfKind(writes)) {
      const sizeAt = (index: number): number => charsToSend(run[index]);
      const report = await (run[0]?.kind === 'insert'
        ? insertAll(
            target,
            run.map(({ document }) => document),
            sizeAt,
            session,
          )
        : updateAll(target, run.map(update), sizeAt, session));
      const culprit = report.failure && run[report.failure.index];
      if (report.failure)
        throw culprit
          ? refusedWrite(report.failure, culprit.writer, plan, culprit.document)
          : serverError(report.failure.code);
      if (report.count !== run.length)
        throw new TransientSyncError('A document was changed by someone else while it was written');
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
function runsOfKind(writes: readonly PlannedWrite[]): (readonly PlannedWrite[])[] {
  const runs: PlannedWrite[][] = [];
  for (const write of writes) {
    const run = runs.at(-1);
    if (run?.[0] && (run[0].kind === 'insert') === (write.kind === 'insert')) run.push(write);
    else runs.push([write]);
  }
  return runs;
}

function update({
  document,
  kind,
  expectedScope,
  expectedVersion,
  copiedFrom,
}: PlannedWrite): UpdateStatement {
  const { _id, ...whole } = document;
  const expected = {
    [SYNC_FIELDS.scope]: expectedScope,
    // Whatever the app left there that is no version counts as none.
    [SYNC_FIELDS.version]: expectedVersion ?? { $not: { $type: 'string' } },
  };
  const q = { _id, ...(copiedFrom === undefined ? expected : { [SYNC_FIELDS.owner]: copiedFrom }) };
  switch (kind) {
    case 'stamp':
      return {
        q,
        u: {
          $set: Object.fromEntries(Object.entries(whole).filter(([key]) => isSyncField(key))),
          $unset: {
            [SYNC_FIELDS.lock]: '',
            ...(Object.hasOwn(whole, SYNC_FIELDS.hlc) ? {} : { [SYNC_FIELDS.hlc]: '' }),
          },
        },
      };
    case 'release':
      return { q, u: { $unset: Object.fromEntries(Object.values(SYNC_FIELDS).map((field) => [field, ''])) } };
    default:
      return { q, u: whole };
  }
}

/** What the engine's fields measure in a command. */
const STAMP_CHARS = 500;

function charsToSend(write: PlannedWrite | undefined): number {
  const isWhole = write?.kind === 'insert' || write?.kind === 'replace';
  return isWhole ? write.chars : STAMP_CHARS;
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
  throw serverError(failure.code);
}

/** No head is longer as JSON, and no receipt without what it keeps of a document, whatever their ids. */
const HEAD_CHARS = 1000;
const RECEIPT_CHARS = 1500;

function charsOf(receipts: readonly ReceiptRecord[]): (index: number) => number {
  return (index) => RECEIPT_CHARS + (receipts[index]?.sent?.length ?? 0);
}

/** What the engine's fields and the entry around a document may take. */
const BSON_MARGIN = 16 << 10;

/** The driver refuses by itself what it cannot bring into BSON; the server, by the whole command, what it cannot parse. */
function isUnsendable(error: unknown): boolean {
  const code = codeOf(error);
  if (code !== undefined) return code === MONGO_CODES.BSONObjectTooLarge || code === MONGO_CODES.Overflow;
  return (
    error instanceof mongoose.mongo.MongoInvalidArgumentError ||
    error instanceof RangeError ||
    (error instanceof Error && error.name.startsWith('BSON'))
  );
}

/** The first change whose document has no BSON, or whose document or entry is larger than MongoDB takes. */
function unsendableWrite(plan: Plan): RefusedWrite | undefined {
  for (const [index, { key, state }] of plan.steps.entries()) {
    const { written } = state;
    if (!written) continue;
    const rejection =
      whyUnsendable(plannedWrite(key, state, written).document) ??
      whyUnsendable(plan.entries[index]?.wire ?? '');
    if (rejection) return new RefusedWrite(written.writer, rejection, plan);
  }
  return undefined;
}

function whyUnsendable(value: object | string): Rejection | undefined {
  if (typeof value === 'string')
    return Buffer.byteLength(value) > LARGEST_BSON - BSON_MARGIN ? TOO_LARGE : undefined;
  if (isTooDeep(value)) return CANNOT_BE_STORED;
  try {
    return bsonSize(value) > LARGEST_BSON - BSON_MARGIN ? TOO_LARGE : undefined;
  } catch (error) {
    return error instanceof RangeError ? TOO_LARGE : CANNOT_BE_STORED;
  }
}

/** With all that sending it would do. */
function bsonSize(document: object): number {
  return mongoose.mongo.BSON.serialize(document, { ignoreUndefined: true }).length;
}

function refusedWrite(failure: WriteFailure, writer: Writer, plan: Plan, value: object | string): Error {
  const rejection = rejectionFor(failure);
  return rejection
    ? new RefusedWrite(
        writer,
        rejection.code === 'refused_by_database' ? (whyUnsendable(value) ?? rejection) : rejection,
        plan,
      )
    : serverError(failure.code);
}

/** Without the server's text, which may quote documents. */
function serverError(code: number): Error {
  return new mongoose.mongo.MongoServerError({ code, errmsg: 'The database refused a write of the engine' });
}
