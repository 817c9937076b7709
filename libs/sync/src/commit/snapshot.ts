import { Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import type { JsonObject, LogChange } from 'nest-offline-sync-protocol';
import type { SyncedCollection } from '../collections/collection';
import { CollectionRegistry } from '../collections/collection-registry';
import { unlessCopied } from '../codec/copied-document';
import { SYNC_FIELDS, type StoredDocument } from '../codec/stored-document';
import { OplogRepository } from '../log/oplog';
import type { HeadRecord, ReceiptKey, ReceiptRecord } from '../log/records';
import {
  baseText,
  documentKey,
  receiptText,
  targetOf,
  type BaseNeed,
  type PlanRequest,
  type PlanSnapshot,
} from '../plan/plan';
import { LARGEST_BSON } from './write-commands';

/** More than the lock of a document takes. Bytes. */
const ROOM = 64;

/** Reads, inside a transaction, what the planner decides by. A handful of round trips, however large the group is. */
@Injectable()
export class SnapshotRepository {
  constructor(
    private readonly oplog: OplogRepository,
    private readonly collections: CollectionRegistry,
  ) {}

  /** Heads and documents; for the receipts see {@link receipts}. */
  async load(session: mongo.ClientSession, requests: readonly PlanRequest[]): Promise<PlanSnapshot> {
    // Operations of one session run one after another.
    const heads = await this.heads(session, [...scopesOf(requests)]);
    const documents = await this.documents(session, requests);
    return { heads, receipts: undefined, documents, bases: new Map() };
  }

  private async heads(
    session: mongo.ClientSession,
    scopes: readonly string[],
  ): Promise<Map<string, HeadRecord>> {
    const rows = await this.oplog.heads.find({ _id: { $in: [...scopes] } }, { session }).toArray();
    return new Map(rows.map((head) => [head._id, head]));
  }

  /**
   * Takes the documents of observed changes before anything is read: who writes them past the engine waits then, where
   * a busy document would otherwise always be written between the look at it and the write.
   *
   * @returns gives them free again, as a write of the same transaction
   */
  async lock(session: mongo.ClientSession, requests: readonly PlanRequest[]): Promise<() => Promise<void>> {
    const ids = new Map<string, unknown[]>();
    for (const { changes } of requests)
      for (const change of changes) {
        if (change.kind !== 'ready' || !change.observed) continue;
        const some = ids.get(change.collection);
        if (some) some.push(change.storedId);
        else ids.set(change.collection, [change.storedId]);
      }
    const each = async (update: object, which: object = {}): Promise<void> => {
      for (const [name, some] of ids)
        await this.require(name).store.updateMany({ _id: { $in: some as never[] }, ...which }, update, {
          session,
        });
    };
    // One that is as large as MongoDB takes would have all of them refused.
    const hasRoom = { $expr: { $lt: [{ $bsonSize: '$$ROOT' }, LARGEST_BSON - ROOM] } };
    await each({ $set: { [SYNC_FIELDS.lock]: true } }, hasRoom);
    // Those that are written are given free by that.
    return () => each({ $unset: { [SYNC_FIELDS.lock]: '' } }, { [SYNC_FIELDS.lock]: true });
  }

  /** What the requests' mutations were answered before, by {@link receiptText}. */
  async receipts(
    session: mongo.ClientSession,
    requests: readonly PlanRequest[],
  ): Promise<Map<string, ReceiptRecord>> {
    const keys: ReceiptKey[] = [];
    for (const { scopeId, clientId, changes } of requests)
      for (const change of changes) {
        const parent = change.kind === 'ready' ? change.parentMutation : undefined;
        for (const id of [change.mutation?.id, parent])
          if (id !== undefined) keys.push({ scope: scopeId, client: clientId, mutation: id });
      }
    if (keys.length === 0) return new Map();
    const rows = await this.oplog.receipts
      .find({ _id: { $in: keys } }, { session, batchSize: keys.length + 1 })
      .toArray();
    return new Map(rows.map((row) => [receiptText(row._id.scope, row._id.client, row._id.mutation), row]));
  }

  private async documents(
    session: mongo.ClientSession,
    requests: readonly PlanRequest[],
  ): Promise<Map<string, StoredDocument | 'foreign'>> {
    const asked = new Map<string, { ids: Map<string, unknown>; scopes: Set<string> }>();
    const observed = new Set<string>();
    for (const { scopeId, changes } of requests) {
      for (const change of changes) {
        const target = targetOf(change);
        if (!target) continue;
        const { collection, key, storedId } = target;
        if (change.kind === 'ready' && change.observed) observed.add(key);
        let of = asked.get(collection);
        if (!of) asked.set(collection, (of = { ids: new Map(), scopes: new Set() }));
        of.ids.set(key, storedId);
        of.scopes.add(scopeId);
        const to = change.kind === 'ready' ? change.observed?.moved?.to : undefined;
        if (to !== undefined) of.scopes.add(to);
      }
    }
    const documents = new Map<string, StoredDocument | 'foreign'>();
    for (const [name, { ids, scopes }] of asked) {
      const collection = this.require(name);
      const { scopeField } = collection.rules.capture ?? {};
      for (const found of await readByIds(collection, session, [...ids.values()])) {
        const row = unlessCopied(found, scopeField);
        const key = documentKey(name, row['_id'], collection.ids.toWire(row['_id']));
        // What belongs to none of the asking scopes stops here: the planner learns that the id is taken, and no more.
        const scope = row[SYNC_FIELDS.scope];
        // One of no scope at all may be of theirs, where documents are taken in that came past the engine.
        const isFree = (scope ?? null) === null && (observed.has(key) || scopeField !== undefined);
        documents.set(key, isFree || (typeof scope === 'string' && scopes.has(scope)) ? row : 'foreign');
      }
    }
    return documents;
  }

  /** The documents at the versions that merges start from, by {@link baseText}. */
  async bases(
    session: mongo.ClientSession,
    needs: readonly BaseNeed[],
  ): Promise<Map<string, JsonObject | null | undefined>> {
    const bases = new Map<string, JsonObject | null | undefined>();
    for (const { scopeId, collection, key, storedId, version } of needs) {
      const entry = await this.oplog.entries.findOne(
        { scope: scopeId, collection, doc: storedId, version: { $lte: version } },
        { session, sort: { version: -1 }, projection: { _id: 0, wire: 1 } },
      );
      const data = entry && (JSON.parse(entry.wire) as LogChange).data;
      if (data) this.require(collection).rules.form?.hide(data);
      bases.set(baseText(scopeId, key, version), entry ? data : undefined);
    }
    return bases;
  }

  private require(name: string): SyncedCollection {
    const collection = this.collections.get(name);
    if (!collection) throw new Error(`Collection ${name} is not registered`);
    return collection;
  }
}

/** Those that the requests may write. */
function scopesOf(requests: readonly PlanRequest[]): Set<string> {
  const scopes = new Set<string>();
  for (const { scopeId, changes } of requests) {
    scopes.add(scopeId);
    for (const change of changes) {
      const to = change.kind === 'ready' ? change.observed?.moved?.to : undefined;
      if (to !== undefined) scopes.add(to);
    }
  }
  return scopes;
}

function readByIds(
  { store }: SyncedCollection,
  session: mongo.ClientSession,
  ids: readonly unknown[],
): Promise<StoredDocument[]> {
  return store.find({ _id: { $in: [...ids] } as never }, { session, batchSize: ids.length + 1 }).toArray();
}
