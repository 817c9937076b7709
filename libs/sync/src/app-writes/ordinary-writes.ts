import { Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import type { StoredDocument, StoredId } from '../codec/stored-document';
import type { SyncedCollection } from '../collections/collection';
import { CollectionRegistry } from '../collections/collection-registry';
import { DECODING } from '../collections/native-collection';
import { PlanWriter } from '../commit/plan-writer';
import type { DriverCall } from '../database/driver-calls';
import { codeOf } from '../database/errors';
import type { SyncIdentity } from '../identity/identity';
import type { PlanRequest, ReadyChange } from '../plan/plan';
import { planPushes } from '../plan/planner';
import {
  asAsked,
  newIds,
  pinned,
  readsOf,
  statementsOf,
  tellingUpserts,
  type Statement,
} from './ordinary-call';
import { ScopeHeads } from './scope-heads';
import { ScopeWriter, type Attempt } from './scope-writer';
import { keyOf, outcomeOf, touch, touchNew, type Touched } from './touched';

/** What ordinary calls of one transaction may touch: each is read before and after. */
export const MOST_TOUCHED = 10_000;
/** Documents that are recorded by one plan. */
const PIECE = 500;

/** Whose calls they are. */
export interface Caller {
  readonly attempt: Attempt;
  readonly identity: SyncIdentity;
  readonly owner: object;
}

/** What has to be known of a call before it is made. */
export interface CallParts {
  readonly collection: SyncedCollection;
  readonly statements: readonly Statement[];
  readonly handle: mongo.Collection;
}

type Noted = Pick<Touched, 'collection' | 'scopeId' | 'owner'> & { readonly attempt: Attempt };

/**
 * Ordinary Mongoose calls inside `sync.transaction`: before each one it is noted which documents it is about, and at the
 * end of the body what has become of them is recorded, by the same planner as everything else.
 */
@Injectable()
export class OrdinaryWrites {
  constructor(
    private readonly collections: CollectionRegistry,
    private readonly heads: ScopeHeads,
    private readonly writer: PlanWriter,
    private readonly scopes: ScopeWriter,
  ) {}

  /**
   * Makes the call.
   *
   * @throws SyncError `not_adopted`, `id_unavailable`, `wrong_scope`, `too_many_changes`: nothing is written by
   *   it, and the transaction can go on; else what the driver throws
   */
  async make(caller: Caller, call: DriverCall, parts: CallParts): Promise<unknown> {
    const { attempt, identity } = caller;
    if (attempt.lost) throw attempt.lost;
    const { collection, statements, handle } = parts;
    const noted = { ...caller, scopeId: identity.scopeId, collection };
    if (!collection.livesIn(identity.scopeId))
      throw new SyncError(
        'wrong_scope',
        `Collection ${collection.name} does not live in scopes of this kind; see its option scopes.`,
      );
    const args = await this.note(noted, statements, handle, call);
    let result: unknown;
    try {
      result = await call.proceed(tellingUpserts(call.method, args));
    } catch (error) {
      // A refused write ends the transaction on the server, whatever the body makes of the error.
      if (codeOf(error) !== undefined) attempt.lost ??= error as Error;
      throw error;
    }
    for (const id of newIds(result)) touchNew(attempt.touched, noted, id);
    return asAsked(call.method, call.args, result);
  }

  /**
   * Records what the calls of a body have made of the documents.
   *
   * @throws SyncError: the transaction must not be committed
   */
  async record(caller: Caller): Promise<void> {
    const { attempt, identity, owner } = caller;
    const mine = [...attempt.touched].filter(([, one]) => one.owner === owner);
    if (mine.length === 0) return;
    if (mine.length > MOST_TOUCHED) throw tooMany();
    await this.scopes.guarded(attempt, async () => {
      for (let start = 0; start < mine.length; start += PIECE)
        await this.recordPiece(
          attempt,
          identity,
          mine.slice(start, start + PIECE).map(([, one]) => one),
        );
    });
    for (const [key] of mine) attempt.touched.delete(key);
  }

  /** @throws SyncError `unrecorded_write` for a call of which nobody can tell what it writes */
  partsOf(call: DriverCall): CallParts {
    const { collection: name, method, args, handle } = call;
    const collection = this.collections.get(name);
    const statements = statementsOf(method, args);
    if (collection && statements && handle) return { collection, statements, handle };
    throw unrecordable(call);
  }

  /**
   * Notes the documents that a call is about.
   *
   * @returns its arguments: where it takes the first match of several, with the filter of the one that was noted
   */
  private async note(
    noted: Noted,
    statements: readonly Statement[],
    handle: mongo.Collection,
    { method, args }: DriverCall,
  ): Promise<readonly unknown[]> {
    const [only] = statements;
    if (method === 'bulkWrite' || only?.kind !== 'one') {
      // What a part of a bulk makes another part match was noted for that part.
      for (const read of readsOf(statements)) await this.touchMatching(noted, read, handle);
      return args;
    }
    const [id] = await this.touchMatching(noted, only, handle, 1);
    return id === undefined || only.isById ? args : [pinned(only.filter, id), ...args.slice(1)];
  }

  private async touchMatching(
    noted: Noted,
    { filter, options }: Pick<Exclude<Statement, { kind: 'insert' }>, 'filter' | 'options'>,
    handle: mongo.Collection,
    limit = MOST_TOUCHED + 1,
  ): Promise<StoredId[]> {
    const { session, touched } = noted.attempt;
    const cursor = handle.find(filter as mongo.Filter<mongo.Document>, {
      ...DECODING,
      raw: false,
      enableUtf8Validation: false,
      readPreference: 'primary',
      ...options,
      session,
      limit,
    });
    const ids: StoredId[] = [];
    for await (const row of cursor) {
      touch(touched, noted, row);
      ids.push(row._id);
      if (touched.size > MOST_TOUCHED || ids.length > MOST_TOUCHED) throw tooMany();
    }
    return ids;
  }

  private async recordPiece(
    attempt: Attempt,
    identity: SyncIdentity,
    touched: readonly Touched[],
  ): Promise<void> {
    const { session, heads } = attempt;
    const { scopeId, actorId } = identity;
    const documents = await this.read(session, touched);
    const changes: ReadyChange[] = [];
    for (const one of touched) {
      const outcome = outcomeOf(one, documents.get(keyOf(one.collection, one.storedId)));
      if (outcome && 'change' in outcome) changes.push(outcome.change);
      else if (outcome) await one.collection.store.insertOne(outcome.restore, { session });
    }
    if (changes.length === 0) return;
    attempt.scopes.add(scopeId);
    const open = await this.heads.readHead(session, heads, scopeId);
    const request: PlanRequest = { scopeId, actorId, clientId: '', atomic: 'batch', changes };
    const snapshot = {
      heads: new Map(open.head ? [[scopeId, open.head]] : []),
      documents,
      receipts: new Map(),
      bases: new Map(),
    };
    const plan = planPushes(snapshot, [request], this.heads.clock());
    const [move] = plan.heads;
    if (!move || plan.entries.length !== changes.length)
      throw new Error('A plan of ordinary writes must record each of them');
    attempt.held.add(scopeId);
    for (const { collection } of changes) attempt.recorded.add(collection);
    await this.writer.write(session, plan);
    this.heads.advance(heads, open, move);
  }

  private async read(
    session: mongo.ClientSession,
    touched: readonly Touched[],
  ): Promise<Map<string, StoredDocument>> {
    const found = new Map<string, StoredDocument>();
    for (const collection of new Set(touched.map((one) => one.collection))) {
      const ids = touched.filter((one) => one.collection === collection).map(({ storedId }) => storedId);
      const rows = collection.store.find({ _id: { $in: ids as never[] } }, { session });
      for await (const row of rows) found.set(keyOf(collection, row['_id']), row);
    }
    return found;
  }
}

function unrecordable({ collection, method }: DriverCall): SyncError {
  return new SyncError(
    'unrecorded_write',
    `${method} on collection ${collection} cannot be recorded in a sync.transaction: nobody can tell which documents it writes. Use the methods of a model or a collection that name them, without forceServerObjectId.`,
    { path: `collections.${collection}` },
  );
}

function tooMany(): SyncError {
  return new SyncError(
    'too_many_changes',
    `The ordinary calls of one sync.transaction may touch ${MOST_TOUCHED} documents, and a filter counts with all that it matches: divide the work into several transactions.`,
    { limit: MOST_TOUCHED },
  );
}
