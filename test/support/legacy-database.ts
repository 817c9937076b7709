import { mongo } from 'mongoose';
import type { JsonObject } from 'nest-offline-sync';

const { Int32, ObjectId } = mongo;
type Id = string | number;

/**
 * A database as fastapi-offline-sync 0.1.2 writes it: its collections, indexes, fields and types, without anything of this
 * engine's. Ids of 24 hex digits are stored as ObjectIds, and told as they were sent.
 */
export class LegacyDatabase {
  private ms = Date.UTC(2026, 4, 2, 12);

  constructor(
    private readonly db: mongo.Db,
    private readonly node = 'a1b2',
  ) {}

  private get log(): mongo.Collection<Record<string, unknown> & { _id: string }> {
    return this.db.collection('sync_oplog');
  }

  async init(collections: readonly string[], ttlDays = 30): Promise<void> {
    await this.db.createCollection('sync_oplog');
    await this.log.createIndex({ timestamp: 1 }, { expireAfterSeconds: ttlDays * 86400 });
    await this.log.createIndex({ scope_id: 1, collection: 1, _id: 1 });
    for (const name of collections) {
      const collection = this.db.collection(name);
      await collection.createIndex({ _sync_scope_id: 1, _sync_deleted: 1, _id: 1 });
      await collection.createIndex({ _sync_version: -1 });
    }
  }

  /** @param counter five digits are what a busy millisecond makes there */
  version(counter = 0): string {
    this.ms += 7;
    const time = new Date(this.ms).toISOString().replace(/[-:]/g, '');
    return `${time}-${String(counter).padStart(4, '0')}-${this.node}`;
  }

  /** A push of one change. @returns its version */
  async push(
    scope: string,
    collection: string,
    id: Id,
    data: JsonObject | null,
    { parent = null as string | null, version = this.version() } = {},
  ): Promise<string> {
    const fields = await this.store(scope, collection, id, data, version);
    await this.log.insertOne({
      _id: version,
      timestamp: new Date(),
      collection,
      doc_id: typeof id === 'number' ? new Int32(id) : id,
      operation: data === null ? 'delete' : 'upsert',
      data: fields,
      actor_id: 'ann',
      scope_id: scope,
      parent_version: parent,
    });
    return version;
  }

  /** The document alone, as after its entries have expired. @returns what an entry tells of it */
  async store(
    scope: string,
    collection: string,
    id: Id,
    data: JsonObject | null,
    version = this.version(),
  ): Promise<object | null> {
    const isObjectId = typeof id === 'string' && /^[0-9a-f]{24}$/i.test(id);
    const _id = isObjectId ? new ObjectId(id) : typeof id === 'number' ? new Int32(id) : id;
    const fields = {
      _sync_version: version,
      _sync_actor_id: 'ann',
      _sync_scope_id: scope,
      _id,
      _sync_deleted: data === null,
    };
    await this.db
      .collection(collection)
      .replaceOne({ _id: _id as never }, { ...data, ...fields }, { upsert: true });
    return data === null ? null : { ...data, _id: isObjectId ? id.toLowerCase() : _id };
  }

  /** What the database itself removes after some weeks. */
  async expire(scope: string, upTo: string): Promise<void> {
    await this.log.deleteMany({ scope_id: scope, _id: { $lte: upTo } });
  }

  /** A pull as the old server answers it. @returns undefined: a full resync is required */
  async pull(scope: string, since: string, collections: readonly string[]): Promise<string[] | undefined> {
    const asked = { scope_id: scope, collection: { $in: [...collections] } };
    const [earliest] = await this.log.find(asked).sort({ _id: 1 }).limit(1).toArray();
    if (earliest && earliest._id > since) return undefined;
    const rows = await this.log
      .find({ ...asked, _id: { $gt: since } })
      .sort({ _id: 1 })
      .toArray();
    return rows.map(({ _id }) => _id);
  }
}
