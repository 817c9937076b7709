import { setTimeout as delay } from 'node:timers/promises';
import type { mongo } from 'mongoose';
import { seeded, seedFor, type Random } from '../workload/random';
import { plainNote, scopeOf, type PlainNote } from './plain-notes';

const SCOPES = 50;
const TICK_MS = 20;
const FIRST = 2_000;

export interface Pacing {
  readonly perSecond: number;
  readonly seconds: number;
}

/** A document, and when it was written last; null: it was deleted. Times are of `Date.now()`. */
export type Written = readonly [id: string, at: number | null];

/** What a writer has done. Times are of `Date.now()`. */
export interface WriterRun {
  readonly started: number;
  readonly ended: number;
  readonly writes: number;
  /** All that was ever written, also before. */
  readonly written: readonly Written[];
  /** Inserts and updates, and when each was acknowledged. */
  readonly acknowledged: readonly (readonly [id: string, writtenAt: number, at: number])[];
}

/**
 * Code of the app that knows nothing of sync: inserts, updates and deletes at a steady rate, past the engine. One bulk is
 * under way at a time, and no document is in it twice, so that the order of a document's writes is known; one that takes long
 * makes the next one larger.
 */
export class ForeignWriter {
  private readonly random: Random;
  private readonly live: string[] = [];
  readonly written = new Map<string, number | null>();

  constructor(
    seed: number,
    private readonly name: string,
    private readonly store: mongo.Collection<PlainNote>,
  ) {
    this.random = seeded(seedFor(seed, name, 'writer'));
  }

  async begin(): Promise<void> {
    const first = Array.from({ length: FIRST }, () => this.insert(this.written));
    await this.store.bulkWrite(first, { ordered: false });
  }

  async run({ perSecond, seconds }: Pacing): Promise<WriterRun> {
    const started = performance.now();
    const startedAt = Date.now();
    const acknowledged: [string, number, number][] = [];
    let made = 0;
    for (let at = TICK_MS; at <= seconds * 1000; at = Math.max(at + TICK_MS, performance.now() - started)) {
      await delay(Math.max(0, started + at - performance.now()));
      const due = Math.floor((perSecond * at) / 1000) - made;
      const bulk = new Map<string, number | null>();
      const writes = Array.from({ length: due }, () => this.next(bulk));
      await this.store.bulkWrite(writes, { ordered: false });
      const now = Date.now();
      for (const [id, writtenAt] of bulk) {
        this.written.set(id, writtenAt);
        if (writtenAt !== null) acknowledged.push([id, writtenAt, now]);
      }
      made += due;
    }
    return {
      started: startedAt,
      ended: Date.now(),
      writes: made,
      written: [...this.written],
      acknowledged,
    };
  }

  private next(bulk: Map<string, number | null>): mongo.AnyBulkWriteOperation<PlainNote> {
    const kind = this.random();
    const at = Math.floor(this.random() * this.live.length);
    const _id = this.live[at] ?? '';
    if (kind < 0.3 || bulk.has(_id)) return this.insert(bulk);
    if (kind < 0.4) {
      const last = this.live.pop() ?? '';
      if (at < this.live.length) this.live[at] = last;
      bulk.set(_id, null);
      return { deleteOne: { filter: { _id } } };
    }
    const writtenAt = Date.now();
    bulk.set(_id, writtenAt);
    return { updateOne: { filter: { _id }, update: { $set: { writtenAt }, $inc: { qty: 1 } } } };
  }

  private insert(bulk: Map<string, number | null>): mongo.AnyBulkWriteOperation<PlainNote> {
    const document = plainNote(this.random, scopeOf(this.name, Math.floor(this.random() * SCOPES)));
    const writtenAt = Date.now();
    this.live.push(document._id);
    bulk.set(document._id, writtenAt);
    return { insertOne: { document: { ...document, writtenAt } } };
  }
}
