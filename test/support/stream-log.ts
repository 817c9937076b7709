import { formatHlc, parseHlc } from 'nest-offline-sync-protocol';
import type { OplogRepository } from '../../libs/sync/src/log/oplog';

/** Writes a scope's log as the push does: entries and head in one transaction. Without documents. */
export class LogWriter {
  private queue: Promise<unknown> = Promise.resolve();

  constructor(private readonly oplog: OplogRepository) {}

  /**
   * Appends one transaction of entries, one for each named collection.
   *
   * @param w how many members must have it
   * @returns the seq of the last one
   */
  write(
    scope: string,
    collections: readonly string[],
    note = '',
    w: number | 'majority' = 'majority',
  ): Promise<number> {
    const written = this.queue.then(() => this.append(scope, collections, note, w));
    this.queue = written.catch(() => undefined);
    return written;
  }

  private append(
    scope: string,
    collections: readonly string[],
    note: string,
    w: number | 'majority',
  ): Promise<number> {
    const { heads, entries, client } = this.oplog;
    return client.withSession((session) =>
      session.withTransaction(
        async () => {
          const head = await heads.findOne({ _id: scope }, { session });
          let { seq, version } = head ?? { seq: 0, version: '' };
          const at = new Date();
          const records = collections.map((collection) => {
            const last = parseHlc(version);
            version = formatHlc({
              ms: Math.max(at.getTime(), (last?.ms ?? 0) + 1),
              counter: 0,
              node: 'writer',
            });
            seq += 1;
            const doc = `doc-${String(seq)}`;
            const wire = JSON.stringify({
              version,
              seq,
              collection,
              doc_id: doc,
              operation: 'upsert',
              data: { note },
              parent_version: null,
            });
            return {
              scope,
              seq,
              version,
              collection,
              doc,
              operation: 'upsert' as const,
              actor: 'w',
              at,
              wire,
            };
          });
          await entries.insertMany(records, { session });
          if (head)
            await heads.updateOne({ _id: scope, seq: head.seq }, { $set: { seq, version } }, { session });
          else {
            const first = { _id: scope, seq, version, floor: '19700101T000000.000Z-0000', floorSeq: 0 };
            await heads.insertOne(first, { session });
          }
          return seq;
        },
        { writeConcern: { w }, readConcern: { level: 'snapshot' } },
      ),
    );
  }
}
