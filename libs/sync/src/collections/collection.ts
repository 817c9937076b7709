import type { mongo } from 'mongoose';
import type { JsonObject, PatchBody, Rejection } from 'nest-offline-sync-protocol';
import type { IdCodec } from '../codec/id-codec';
import type { StoredDocument } from '../codec/stored-document';
import type { CollectionRules, Conflict } from '../plan/conflict';
import type { SyncIdentity } from '../identity/identity';
import type { Checked, Content, DocumentIds } from '../plan/document-form';
import type { CheckedPatch } from './patch-rules';
import type { PatchPreparation } from '../plan/plan';
import type { CollectionAction } from './ports';

/** Data made ready for the planner, without `_id` and `_sync_*`; or why not. */
export type Prepared =
  | {
      readonly ok: true;
      /** As a new document would be stored, but for timestamps and version key. */
      readonly document: StoredDocument;
      /** Where the stored document has a say in what becomes of it: see `DocumentForm.settle`. */
      readonly content?: Content;
    }
  | { readonly ok: false; readonly rejection: Rejection };

/** One synced collection, resolved and sealed at start. */
export interface SyncedCollection {
  readonly name: string;
  readonly rules: CollectionRules;
  readonly ids: IdCodec;
  readonly idMode: 'global' | 'scoped';
  readonly allowFullResync: boolean;
  /** Whether there are documents of it in a scope, by the scope's kind. */
  livesIn(scopeId: string): boolean;
  /** The native collection: `_id` and `_sync_*` are ours to write. */
  readonly store: mongo.Collection<StoredDocument>;
  authorize(identity: SyncIdentity, action: CollectionAction): Promise<boolean>;
  /**
   * Transform, key and size checks, DTO, then {@link cast}: for what clients send. Never throws for bad data. At once
   * where nobody has to be waited for.
   *
   * @param expectsNew no such document is known to the client: the app's validators are asked about a new one
   */
  prepare(
    identity: SyncIdentity,
    ids: DocumentIds,
    data: JsonObject,
    expectsNew: boolean,
  ): Prepared | Promise<Prepared>;
  /** Names and values of a patch, before it is known what it meets. Never throws for bad data. */
  checkPatch(patch: PatchBody): CheckedPatch;
  /**
   * Transform and DTO, for a document as a patch leaves it: what becomes of it, in its wire form. Never throws for bad data.
   *
   * @param touched fields that the patch has changed
   */
  preparePatched(
    identity: SyncIdentity,
    ids: DocumentIds,
    wire: JsonObject,
    touched: ReadonlySet<string>,
  ): Promise<PatchPreparation['outcome']>;
  /** Which step of the preparation is slow, if any of it is code of the app: "the transform". */
  slowStep(): string | undefined;
  /** Key checks and the schema alone: for a resolver's document and the app's own writes. Never throws for bad data. */
  cast(ids: DocumentIds, data: object): Promise<Prepared>;
  /** What prepared data makes of the document that stands (undefined: none), with every rule of the schema. */
  settle(ids: DocumentIds, prepared: Prepared, current: StoredDocument | undefined): Promise<Checked>;
  /** Asks all rules of the schema about a document that replaces the current one. */
  verify(ids: DocumentIds, document: StoredDocument, current: StoredDocument | undefined): Promise<Checked>;
  /** The app's own resolver, when `rules.strategy` is `custom`. */
  resolve(conflict: Conflict): Promise<JsonObject | null>;
}

/** The sealed set of collections. `CollectionRegistry` implements it. */
export interface Collections {
  get(name: string): SyncedCollection | undefined;
  names(): readonly string[];
}
