import mongoose from 'mongoose';
import type { ErrorCode, Rejection } from 'nest-offline-sync-protocol';
import type { StoredId } from '../codec/stored-document';

/** Documents that cannot be taken in, for one reason. */
export interface RefusedDocuments {
  readonly code: ErrorCode;
  readonly message: string;
  readonly count: number;
  /** Some of their ids, as Extended JSON: nothing else of the documents is told. */
  readonly examples: readonly string[];
}

const EXAMPLES = 5;
/** Messages may name paths: so many different ones are told apart. */
const MOST_REASONS = 100;

/** Why documents are refused: counts, and a few of their ids. */
export class Refusals {
  private readonly reasons = new Map<
    string,
    { code: ErrorCode; message: string; count: number; examples: string[] }
  >();
  count = 0;

  add(id: StoredId, { code, message }: Rejection): void {
    this.count += 1;
    const isOne = this.reasons.size < MOST_REASONS || this.reasons.has(`${code} ${message}`);
    const told = isOne ? message : 'other reasons';
    const key = `${code} ${told}`;
    let reason = this.reasons.get(key);
    if (!reason) this.reasons.set(key, (reason = { code, message: told, count: 0, examples: [] }));
    reason.count += 1;
    if (reason.examples.length < EXAMPLES)
      reason.examples.push(mongoose.mongo.BSON.EJSON.stringify(id, { relaxed: true }).slice(0, 200));
  }

  /** The most frequent first. */
  list(): RefusedDocuments[] {
    return [...this.reasons.values()].sort((a, b) => b.count - a.count);
  }
}
