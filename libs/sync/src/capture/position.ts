import { randomUUID } from 'node:crypto';
import type { mongo } from 'mongoose';
import { within } from '../database/waiting';
import { latestTime, type Start } from './change-source';
import type { OplogRepository } from '../log/oplog';

/** How far the cluster has come. Kept with the leases. */
export interface PositionRecord {
  readonly _id: string;
  /** Unlike that of any position that was given up before: what is kept of an old one counts no more. */
  readonly epoch?: string;
  /** Where the stream began: until it has given a token. */
  readonly from?: mongo.Timestamp;
  readonly token?: unknown;
  /** Collections that were compared as a whole, since `from` or later: what came after that is in the stream. */
  readonly compared?: readonly string[];
  /** Everything that was written until then is recorded. */
  readonly upTo?: Date;
}

const POSITION = 'capture:position';
const LIMIT_MS = 15_000;

/**
 * Where the next process goes on. Invariant: every foreign write of a collection in `compared` is recorded, or the stream
 * gives it from here on. So the place where the stream begins is kept before anything is compared.
 */
export class Position {
  private epoch = '';

  constructor(
    private readonly oplog: OplogRepository,
    private readonly records: mongo.Collection<PositionRecord>,
  ) {}

  /**
   * Where to go on, and the collections that nobody has compared yet.
   *
   * @param names of the captured collections. The stream does not hold the others: they are compared when they are back
   */
  async open(names: readonly string[]): Promise<{ start: Start; fresh: string[] }> {
    const record = (await this.find()) ?? (await this.begin());
    this.epoch = record.epoch;
    const compared = (record.compared ?? []).filter((name) => names.includes(name));
    await this.change({ $set: { compared } });
    const start: Start =
      record.token === undefined
        ? { startAtOperationTime: record.from as mongo.Timestamp }
        : { startAfter: record.token };
    return { start, fresh: names.filter((name) => !compared.includes(name)) };
  }

  /** Everything before the token is recorded. */
  save(token: unknown, upTo: Date): Promise<void> {
    return this.change({ $set: { token, upTo } });
  }

  compared(name: string): Promise<void> {
    return this.change({ $addToSet: { compared: name } });
  }

  /** Something went past the stream: it is compared again, by the next process if not by this one. */
  uncompared(name: string): Promise<void> {
    return this.change({ $pull: { compared: name } });
  }

  /** The next process begins at the present, and compares everything. */
  async forget(): Promise<void> {
    await within(LIMIT_MS, () => this.records.deleteOne({ _id: POSITION }));
  }

  /** @returns until when everything is recorded; undefined: nothing was ever followed */
  async upTo(): Promise<Date | undefined> {
    const record = await within(LIMIT_MS, () => this.records.findOne({ _id: POSITION }));
    return record?.upTo;
  }

  private async find(): Promise<(PositionRecord & { epoch: string }) | undefined> {
    const record = await within(LIMIT_MS, () => this.records.findOne({ _id: POSITION }));
    const { epoch, token, from } = record ?? {};
    if (!record || epoch === undefined || (token === undefined && from === undefined)) return undefined;
    return { ...record, epoch };
  }

  private async begin(): Promise<PositionRecord & { epoch: string }> {
    const record = { epoch: randomUUID(), from: await latestTime(this.oplog), compared: [] };
    await within(LIMIT_MS, () => this.records.replaceOne({ _id: POSITION }, record, { upsert: true }));
    return { _id: POSITION, ...record };
  }

  /** @throws Error when another process has given the position up */
  private async change(update: mongo.UpdateFilter<PositionRecord>): Promise<void> {
    const { matchedCount } = await within(LIMIT_MS, () =>
      this.records.updateOne({ _id: POSITION, epoch: this.epoch }, update),
    );
    if (matchedCount === 0) throw new Error('Another process has begun to capture from the start');
  }
}
