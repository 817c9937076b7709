import { setTimeout as delay } from 'node:timers/promises';
import type { mongo } from 'mongoose';
import { seeded, seedFor, type Random } from '../workload/random';
import { plainNote, scopeOf, type PlainNote } from './plain-notes';

const SCOPES = 50;
const TICK_MS = 50;
const FIRST = 2_000;

/**
 * Code of the app that knows nothing of sync: inserts, updates and deletes at a steady rate, past the engine. One bulk is
 * under way at a time, so that the order of a document's writes is known; one that takes long makes the next one larger.
 */
export class ForeignWriter {
  private readonly random: Random;
  private readonly live: string[] = [];
  /** When each document was written last; undefined: it was deleted. */
  readonly written = new Map<string, number | undefined>();

  constructor(
    seed: number,
    private readonly name: string,
    private readonly store: mongo.Collection<PlainNote>,
  ) {
    this.random = seeded(seedFor(seed, name, 'writer'));
  }

  async begin(): Promise<void> {
    await this.store.bulkWrite(
      Array.from({ length: FIRST }, () => this.insert()),
      { ordered: false },
    );
  }

  /** @returns how many writes were made */
  async run(perSecond: number, seconds: number): Promise<number> {
    const started = performance.now();
    let made = 0;
    for (let at = TICK_MS; at <= seconds * 1000; at = Math.max(at + TICK_MS, performance.now() - started)) {
      await delay(Math.max(0, started + at - performance.now()));
      const due = Math.floor((perSecond * at) / 1000) - made;
      await this.store.bulkWrite(Array.from({ length: due }, () => this.next()));
      made += due;
    }
    return made;
  }

  private next(): mongo.AnyBulkWriteOperation<PlainNote> {
    const kind = this.random();
    if (kind < 0.3) return this.insert();
    const at = Math.floor(this.random() * this.live.length);
    const _id = this.live[at] ?? '';
    if (kind < 0.4) {
      const last = this.live.pop() ?? '';
      if (at < this.live.length) this.live[at] = last;
      this.written.set(_id, undefined);
      return { deleteOne: { filter: { _id } } };
    }
    const writtenAt = this.now(_id);
    return { updateOne: { filter: { _id }, update: { $set: { writtenAt }, $inc: { qty: 1 } } } };
  }

  private insert(): mongo.AnyBulkWriteOperation<PlainNote> {
    const document = plainNote(this.random, scopeOf(this.name, Math.floor(this.random() * SCOPES)));
    this.live.push(document._id);
    return { insertOne: { document: { ...document, writtenAt: this.now(document._id) } } };
  }

  private now(id: string): number {
    const now = Date.now();
    this.written.set(id, now);
    return now;
  }
}
