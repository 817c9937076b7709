import mongoose, { type mongo } from 'mongoose';
import { Observation } from '../capture/observation';
import { SYNC_FIELDS, type StoredDocument, type StoredId } from '../codec/stored-document';
import type { SyncedCollection } from '../collections/collection';
import { SYNCED_COLLECTION_INDEX } from '../database/indexes';
import { within } from '../database/waiting';
import { APP_ACTOR } from '../plan/foreign';
import { ScopeFloors } from './scope-floors';

export interface RevertReport {
  readonly collection: string;
  /** Documents that lost the fields of sync. */
  readonly released: number;
  readonly removedTombstones: number;
  readonly scopes: number;
}

const { MinKey, MaxKey } = mongoose.mongo;
const BATCH = 1000;
const LIMIT_MS = 120_000;
const RELEASE: mongo.Document = {
  $unset: Object.fromEntries(Object.values(SYNC_FIELDS).map((field) => [field, ''])),
};

/** Makes a collection the app's own again, scope by scope. Done again, it goes on where it was broken off. */
export class Reversal {
  private released = 0;
  private removedTombstones = 0;
  private scopes = 0;

  constructor(
    private readonly collection: SyncedCollection,
    private readonly deps: { readonly observation: Observation; readonly floors: ScopeFloors },
    private readonly mayContinue: () => Promise<boolean>,
    private readonly onProgress: (documents: number) => void = () => undefined,
  ) {}

  /** @returns undefined when it was told to stop */
  async run(): Promise<RevertReport | undefined> {
    const { name } = this.collection;
    for (
      let scopeId = await this.scopeAfter('');
      scopeId !== undefined;
      scopeId = await this.scopeAfter(scopeId)
    ) {
      await this.deps.floors.mark([scopeId], name);
      if (!(await this.release(scopeId))) return undefined;
    }
    for await (const scopeIds of this.deps.floors.marked(name)) {
      if (!(await this.mayContinue())) return undefined;
      await this.deps.floors.raise(scopeIds);
      for (const scopeId of scopeIds) await this.releaseLast(scopeId);
      await this.deps.floors.unmark(scopeIds, name);
      this.scopes += scopeIds.length;
    }
    const { released, removedTombstones, scopes } = this;
    return { collection: name, released, removedTombstones, scopes };
  }

  /** Texts alone are scopes. */
  private async scopeAfter(scopeId: string): Promise<string | undefined> {
    const next = await this.limited(() =>
      this.collection.store.findOne(
        { [SYNC_FIELDS.scope]: { $gt: scopeId, $type: 'string' } },
        {
          sort: { ...SYNCED_COLLECTION_INDEX.key },
          projection: { _id: 0, [SYNC_FIELDS.scope]: 1 },
          collation: { locale: 'simple' },
        },
      ),
    );
    const scope = next?.[SYNC_FIELDS.scope];
    return typeof scope === 'string' ? scope : undefined;
  }

  /** All but one document, whose release is told in the log: so those who listen notice it at once. */
  private async release(scopeId: string): Promise<boolean> {
    const { store } = this.collection;
    let kept: StoredId;
    for (let from: StoredId = new MinKey(); ;) {
      const rows = await this.rows(scopeId, from);
      const live = rows.filter((row) => row[SYNC_FIELDS.deleted] !== true).map((row) => row['_id']);
      if (kept === undefined) kept = live.shift();
      const gone = rows.filter((row) => row[SYNC_FIELDS.deleted] === true).map((row) => row['_id']);
      const { modifiedCount } = await this.limited(() =>
        store.updateMany({ _id: { $in: live as never[] }, [SYNC_FIELDS.scope]: scopeId }, RELEASE),
      );
      const { deletedCount } = await this.limited(() =>
        store.deleteMany({
          _id: { $in: gone as never[] },
          [SYNC_FIELDS.scope]: scopeId,
          [SYNC_FIELDS.deleted]: true,
        }),
      );
      this.released += modifiedCount;
      this.removedTombstones += deletedCount;
      this.onProgress(this.released);
      if (!(await this.mayContinue())) return false;
      if (rows.length < BATCH) return true;
      from = rows.at(-1)?.['_id'];
    }
  }

  private async releaseLast(scopeId: string): Promise<void> {
    const { collection } = this;
    const rows = await this.rows(scopeId, new MinKey());
    const sightings = rows
      .filter((row) => row[SYNC_FIELDS.deleted] !== true)
      .map((row) => ({
        scopeId,
        collection,
        storedId: row['_id'],
        observed: { moved: { to: undefined } },
      }));
    await this.deps.observation.record(sightings, APP_ACTOR, this.mayContinue);
    this.released += sightings.length;
  }

  private rows(scopeId: string, from: StoredId): Promise<StoredDocument[]> {
    return this.limited(() =>
      this.collection.store
        .find({}, {
          hint: { ...SYNCED_COLLECTION_INDEX.key },
          min: { [SYNC_FIELDS.scope]: scopeId, _id: from },
          max: { [SYNC_FIELDS.scope]: scopeId, _id: new MaxKey() },
          collation: { locale: 'simple' },
          limit: BATCH,
          projection: { _id: 1, [SYNC_FIELDS.deleted]: 1 },
        } satisfies mongo.FindOptions)
        .toArray(),
    );
  }

  private limited<T>(work: () => Promise<T>): Promise<T> {
    return within(LIMIT_MS, work);
  }
}
