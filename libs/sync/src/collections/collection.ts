import type { mongo } from 'mongoose';
import type { Conflict, ConflictStrategy, DeleteUpdatePolicy } from '../conflict/conflict';
import type { SyncIdentity } from '../identity/identity';
import type { DocId } from '../protocol/change';
import type { Rejection } from '../protocol/errors';
import type { JsonObject } from '../protocol/json';
import type { CollectionAction } from './ports';

/** A document as the driver gives it: BSON values, with `_id` and the four `_sync_*` fields. */
export type StoredDocument = Record<string, unknown>;
/** A value of `_id`: ObjectId, UUID, string or number. */
export type StoredId = unknown;

/** The part of a collection's configuration that the push planner decides by. Plain data. */
export interface CollectionRules {
  readonly strategy: ConflictStrategy | 'custom';
  readonly deleteUpdatePolicy: DeleteUpdatePolicy;
  /** A field that the server sets once and an update keeps (Mongoose's createdAt), if the schema has one. */
  readonly createdAtField?: string;
}

/** How wire ids and stored ids belong together. Injective both ways (invariant 5). */
export interface IdCodec {
  /** The stored id, or undefined when this id can never stand in the collection. */
  toStored(scopeId: string, docId: DocId): StoredId | undefined;
  /** The id as clients see it. */
  toWire(storedId: StoredId): DocId;
}

/** Client data made ready to be stored: cast, validated, without `_id` and `_sync_*`; or why not. */
export type Prepared =
  | { readonly ok: true; readonly document: StoredDocument }
  | { readonly ok: false; readonly rejection: Rejection };

/** One synced collection, resolved and sealed at start. */
export interface SyncedCollection {
  readonly name: string;
  readonly rules: CollectionRules;
  readonly ids: IdCodec;
  readonly idMode: 'global' | 'scoped';
  readonly allowFullResync: boolean;
  /** The native collection: `_id` and `_sync_*` are ours to write. */
  readonly store: mongo.Collection<StoredDocument>;
  authorize(identity: SyncIdentity, action: CollectionAction): Promise<boolean>;
  /** Transform, key and size checks, DTO, then {@link cast}: for what clients send. Never throws for bad data. At once where nobody has to be waited for. */
  prepare(identity: SyncIdentity, docId: DocId, data: JsonObject): Prepared | Promise<Prepared>;
  /** Which step of the preparation is slow, if any of it is code of the app: "the transform". */
  slowStep(): string | undefined;
  /** Key checks and the schema alone: for a resolver's document and the app's own writes. Never throws for bad data. */
  cast(docId: DocId, data: JsonObject): Promise<Prepared>;
  /** The app's own resolver, when `rules.strategy` is `custom`. */
  resolve(conflict: Conflict): Promise<JsonObject | null>;
}

/** The sealed set of collections. `CollectionRegistry` implements it. */
export interface Collections {
  get(name: string): SyncedCollection | undefined;
  names(): readonly string[];
}
