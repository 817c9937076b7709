import type { Logger } from '@nestjs/common';
import mongoose from 'mongoose';
import type { Rejection } from 'nest-offline-sync-protocol';
import type { StoredId } from '../codec/stored-document';
import type { Refusal } from './observation';

/** So many documents are named. */
const MOST = 1_000;
const ID_CHARS = 200;

/** Tells of documents that are not recorded, and of nothing that is in them. */
export class RefusedLog {
  private readonly reasons = new Set<string>();
  private readonly documents = new Set<string>();

  constructor(private readonly logger: Pick<Logger, 'warn' | 'error'>) {}

  /** Known reasons are said once each: they may be true of many documents. What nobody foresaw names its document. */
  tell(name: string, storedId: StoredId, refusal: Refusal): void {
    if (refusal.unforeseen === undefined) this.tellReason(name, refusal);
    else this.tellDocument(name, storedId, refusal.unforeseen);
  }

  tellReason(name: string, { code, message }: Rejection): void {
    const reason = `${name} ${code}`;
    if (this.reasons.has(reason)) return;
    this.reasons.add(reason);
    this.logger.warn(`Collection ${name}: a document of the app cannot be synced (${code}): ${message}`);
  }

  private tellDocument(name: string, storedId: StoredId, kind: string): void {
    const id = mongoose.mongo.BSON.EJSON.stringify(storedId, { relaxed: true }).slice(0, ID_CHARS);
    const document = `${name} ${id} ${kind}`;
    if (this.documents.size >= MOST || this.documents.has(document)) return;
    this.documents.add(document);
    this.logger.error(
      `Collection ${name}: document ${id} could not be recorded (${kind}); the others go on. ` +
        'It is tried again when it is written again, and by `npx nest-offline-sync verify --repair`.',
    );
  }
}
