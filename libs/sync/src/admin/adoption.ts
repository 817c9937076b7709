import type { mongo } from 'mongoose';
import type { ErrorCode, Rejection } from 'nest-offline-sync-protocol';
import { keyOf, Observation } from '../capture/observation';
import { contentHash } from '../codec/content-hash';
import { SYNC_FIELDS, type StoredDocument } from '../codec/stored-document';
import { ownFields } from '../app-writes/target';
import type { SyncedCollection } from '../collections/collection';
import { isPassing, MONGO_CODES } from '../database/errors';
import { within } from '../database/waiting';
import { readField } from '../identity/identity';
import { adoptable } from './adoptable';
import { Refusals, type RefusedDocuments } from './refusals';
import { ScopeFloors } from './scope-floors';
import { unscoped, type Sized } from './unscoped-walk';

/** What an adoption is about. */
export interface AdoptionPlan {
  readonly collection: SyncedCollection;
  readonly scopeField: string;
  readonly where: object;
  readonly actorId: string;
  readonly log: boolean;
  readonly dryRun: boolean;
}

export interface AdoptProgress {
  /** Documents that were looked at in this pass. */
  readonly seen: number;
  readonly adopted: number;
  readonly refused: number;
  /** Documents without a scope when the run began. */
  readonly total: number;
}

/** What became of an adoption, or would become of it. */
export interface AdoptReport {
  readonly collection: string;
  readonly dryRun: boolean;
  readonly adopted: number;
  /** Scopes that got documents. */
  readonly scopes: number;
  /** Those with most of them. */
  readonly largestScopes: readonly { readonly scope: string; readonly documents: number }[];
  readonly refused: readonly RefusedDocuments[];
}

interface Candidate {
  readonly document: StoredDocument;
  readonly scopeId: string;
  /** Of its content: where no transaction reads it again. */
  readonly hash?: string;
}

/** The app may add documents while the walk goes on; each pass takes what the ones before have missed. */
const MOST_PASSES = 10;
/** Scopes whose documents are counted one by one, and whose heads are remembered. */
const MOST_SCOPES = 100_000;
const SHOWN_SCOPES = 10;
const LIMIT_MS = 120_000;
/** Bulks of updates that are under way at a time: MongoDB works on each with one core. */
const COMMANDS = 2;

type Store = mongo.Collection<StoredDocument>;
type Update = mongo.AnyBulkWriteOperation<StoredDocument>;

/** The codes of those that the database refuses, by their places, and how many of the others it has found. */
interface BulkOutcome {
  readonly failed: ReadonlyMap<number, number>;
  readonly found: number;
}

/**
 * One run over the documents that have no scope yet. It holds a batch at a time, and can be broken off anywhere: what has
 * a scope is done, the rest is found again.
 */
export class Adoption {
  private refusals = new Refusals();
  private readonly perScope = new Map<string, number>();
  private readonly heads = new Map<string, string>();
  private adopted = 0;
  private seen = 0;

  constructor(
    private readonly plan: AdoptionPlan,
    private readonly total: number,
    private readonly deps: { readonly observation: Observation; readonly floors: ScopeFloors },
    private readonly mayContinue: () => Promise<boolean>,
    private readonly onProgress: (progress: AdoptProgress) => void,
  ) {}

  /** @returns undefined when it was told to stop */
  async run(): Promise<AdoptReport | undefined> {
    const { plan } = this;
    for (let pass = 0; pass < MOST_PASSES; pass++) {
      this.refusals = new Refusals();
      this.seen = 0;
      const before = this.adopted;
      let batchUnderWay: Promise<void> = Promise.resolve();
      for await (const batch of unscoped(plan.collection.store, plan.where)) {
        // Read and prepared while the one before is written.
        const candidates = await this.candidates(batch);
        await batchUnderWay;
        if (!(await this.mayContinue())) return undefined;
        batchUnderWay = this.take(batch.length, candidates);
        batchUnderWay.catch(() => undefined);
      }
      await batchUnderWay;
      if (plan.dryRun || this.adopted === before) break;
    }
    return this.report();
  }

  private async take(size: number, candidates: readonly Candidate[]): Promise<void> {
    if (this.plan.dryRun) for (const { scopeId } of candidates) this.count(scopeId);
    else if (this.plan.log) await this.record(candidates);
    else await this.stamp(candidates);
    this.seen += size;
    const { seen, adopted, total } = this;
    this.onProgress({ seen, adopted, refused: this.refusals.count, total });
  }

  private async candidates(batch: readonly Sized[]): Promise<Candidate[]> {
    const { collection, scopeField } = this.plan;
    const candidates: Candidate[] = [];
    const isStamped = !this.plan.log && !this.plan.dryRun;
    for (const { document, bytes } of batch) {
      const judged = adoptable(document, scopeField, collection, bytes);
      const rejection = judged.ok ? await this.schemaRefusal(document) : judged.rejection;
      if (rejection) this.refusals.add(document['_id'], rejection);
      else if (judged.ok) {
        const { scopeId } = judged;
        candidates.push(isStamped ? { document, scopeId, hash: hashOf(document) } : { document, scopeId });
      }
    }
    return candidates;
  }

  private async schemaRefusal(document: StoredDocument): Promise<Rejection | undefined> {
    const { collection } = this.plan;
    const { rules } = collection.rules.form ?? {};
    if (!rules || rules.asksNothing) return undefined;
    const storedId = document['_id'];
    const ids = { storedId, wireId: collection.ids.toWire(storedId) };
    const checked = await collection.verify(ids, ownFields(document), undefined);
    return checked.ok ? undefined : checked.rejection;
  }

  /** With entries: each document becomes one of its scope's log. */
  private async record(candidates: readonly Candidate[]): Promise<void> {
    const { collection, scopeField, actorId } = this.plan;
    const sightings = candidates.map(({ scopeId, document }) => ({
      scopeId,
      collection,
      storedId: document['_id'],
      observed: { scopeField },
    }));
    const { refused, untouched } = await this.deps.observation.record(sightings, actorId, this.mayContinue);
    const unclear: Candidate[] = [];
    for (const [at, candidate] of candidates.entries()) {
      const rejection = refused.get(at);
      if (rejection) this.refusals.add(candidate.document['_id'], rejection);
      else if (untouched.has(at)) unclear.push(candidate);
      else this.count(candidate.scopeId);
    }
    await this.countThere(unclear);
  }

  /** Without entries: the scopes' floors move when all is done. */
  private async stamp(candidates: readonly Candidate[]): Promise<void> {
    const { collection } = this.plan;
    if (candidates.length === 0) return;
    const versions = await this.versionsFor(candidates.map(({ scopeId }) => scopeId));
    const updates = candidates.map((candidate) => ({
      updateOne: this.stampOf(candidate, versions.get(candidate.scopeId) ?? ''),
    }));
    const { failed, found } = await this.bulk(collection.store, updates);
    const stamped = candidates.filter((_, at) => !failed.has(at));
    for (const [at, code] of failed) this.refusals.add(candidates[at]?.document['_id'], refusalFor(code));
    if (found === stamped.length) for (const { scopeId } of stamped) this.count(scopeId);
    else await this.countThere(stamped);
  }

  /** Counts those that are in their scope by now: others have another one, and the next pass takes them. */
  private async countThere(candidates: readonly Candidate[]): Promise<void> {
    if (candidates.length === 0) return;
    const { store } = this.plan.collection;
    const ids = candidates.map(({ document }) => document['_id']) as never[];
    const rows = await within(LIMIT_MS, () =>
      store.find({ _id: { $in: ids } }, { projection: { [SYNC_FIELDS.scope]: 1 } }).toArray(),
    );
    const scopes = new Map(rows.map((row) => [keyOf(row['_id']), row[SYNC_FIELDS.scope]]));
    for (const { document, scopeId } of candidates)
      if (scopes.get(keyOf(document['_id'])) === scopeId) this.count(scopeId);
  }

  private stampOf(
    { document, scopeId, hash }: Candidate,
    version: string,
  ): mongo.UpdateOneModel<StoredDocument> {
    const { scopeField, actorId } = this.plan;
    return {
      filter: {
        _id: document['_id'] as never,
        [SYNC_FIELDS.scope]: null,
        // The app may have given it to another scope since it was read: the next pass takes it then.
        [scopeField]: readField(document, scopeField),
      },
      update: {
        $set: {
          [SYNC_FIELDS.version]: version,
          [SYNC_FIELDS.actor]: actorId,
          [SYNC_FIELDS.scope]: scopeId,
          [SYNC_FIELDS.deleted]: false,
          [SYNC_FIELDS.hash]: hash,
          [SYNC_FIELDS.owner]: document['_id'],
        },
      },
    };
  }

  /** Of each scope the version that its documents get. The scopes are marked before. */
  private async versionsFor(scopeIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (this.heads.size >= MOST_SCOPES) this.heads.clear();
    const unknown = scopeIds.filter((scopeId) => !this.heads.has(scopeId));
    const marked = await this.deps.floors.mark(unknown, this.plan.collection.name);
    for (const [scopeId, version] of marked) this.heads.set(scopeId, version);
    return this.heads;
  }

  /** Sends updates in several commands at a time, and waits for all of them, also if one fails. */
  private async bulk(store: Store, updates: readonly Update[]): Promise<BulkOutcome> {
    const size = Math.ceil(updates.length / COMMANDS);
    const parts = Array.from({ length: COMMANDS }, (_, at) => ({ from: at * size, to: (at + 1) * size }));
    const sent = await Promise.allSettled(
      parts.map(({ from, to }) => this.command(store, updates.slice(from, to))),
    );
    const failed = new Map<number, number>();
    let found = 0;
    for (const [at, outcome] of sent.entries()) {
      if (outcome.status === 'rejected') throw outcome.reason;
      found += outcome.value.found;
      for (const [place, code] of outcome.value.failed) failed.set(at * size + place, code);
    }
    return { failed, found };
  }

  private async command(store: Store, updates: Update[]): Promise<BulkOutcome> {
    if (updates.length === 0) return { failed: new Map(), found: 0 };
    for (;;) {
      try {
        const { matchedCount } = await within(LIMIT_MS, () => store.bulkWrite(updates, { ordered: false }));
        return { failed: new Map(), found: matchedCount };
      } catch (error) {
        const { writeErrors, matchedCount = 0 } = error as { writeErrors?: unknown; matchedCount?: number };
        const each = (Array.isArray(writeErrors) ? writeErrors : []) as { index: number; code: number }[];
        if (each.length > 0)
          return { failed: new Map(each.map(({ index, code }) => [index, code])), found: matchedCount };
        // Nothing is done twice: what has a scope by now is not found.
        if (!isPassing(error) || !(await this.mayContinue())) throw error;
      }
    }
  }

  private count(scopeId: string): void {
    this.adopted += 1;
    if (this.perScope.has(scopeId) || this.perScope.size < MOST_SCOPES)
      this.perScope.set(scopeId, (this.perScope.get(scopeId) ?? 0) + 1);
  }

  private report(): AdoptReport {
    const { plan, adopted, perScope } = this;
    const largest = [...perScope].sort(([, a], [, b]) => b - a).slice(0, SHOWN_SCOPES);
    return {
      collection: plan.collection.name,
      dryRun: plan.dryRun,
      adopted,
      scopes: perScope.size,
      largestScopes: largest.map(([scope, documents]) => ({ scope, documents })),
      refused: this.refusals.list(),
    };
  }
}

function hashOf(document: StoredDocument): string {
  return contentHash(ownFields(document));
}

function refusalFor(code: number): Rejection {
  const known: ErrorCode =
    code === MONGO_CODES.DuplicateKey
      ? 'unique_violation'
      : code === MONGO_CODES.DocumentValidationFailure
        ? 'validation_failed'
        : 'refused_by_database';
  return { code: known, message: `the database refuses it with its scope (MongoDB's code ${String(code)})` };
}
