import { Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import type { Rejection } from 'nest-offline-sync-protocol';
import { CollectionRegistry } from '../collections/collection-registry';
import { abortQuietly, TRANSACTION_OPTIONS } from '../database/transaction';
import { EngineSessions } from '../cluster/engine-sessions';
import { OplogRepository } from '../log/oplog';
import type { PlannedWrite, Plan } from '../plan/plan';
import { PlanWriter } from './plan-writer';
import { INVALID, RefusedWrite } from './refused-write';
import { matching, type Collation } from './unstored-documents';
import { earlierWrites } from '../plan/recording';

/** The part of a collection's options that concerns its validator. */
interface CollectionOptions {
  readonly validator?: object;
  readonly validationLevel?: string;
  readonly validationAction?: string;
  readonly collation?: Collation;
}

/** How many transactions try documents at once: each has a connection. */
const AT_ONCE = 8;
/** How many documents one of them tries at first, and at most. */
const FIRST_SIZE = 4;
const LARGEST_SIZE = 256;

/**
 * Finds all documents of a plan that the database refuses by themselves (a validator, an index that cannot take them).
 * A transaction ends with the first write that is refused. So they are written for trial, a few at a time, in
 * transactions that are never committed: nothing is left of them, and no head is touched.
 */
@Injectable()
export class Sieve {
  constructor(
    private readonly sessions: EngineSessions,
    private readonly oplog: OplogRepository,
    private readonly collections: CollectionRegistry,
    private readonly writer: PlanWriter,
  ) {}

  /**
   * @param plan of one request
   * @param deadline performance.now() after which what was found so far is all
   * @returns the rejections, by the indexes of their changes
   */
  async refusedIn(plan: Plan, deadline: number): Promise<Map<number, Rejection>> {
    const refused = new Map<number, Rejection>();
    const earlier = earlierWrites(plan);
    let writes: readonly PlannedWrite[] = plan.writes;
    const validators = new Map<string, CollectionOptions>();
    while (writes.length > 0 && performance.now() < deadline) {
      const bad = await this.invalid(writes, validators);
      const others = await this.sift(
        plan,
        writes.filter((write) => !bad.has(write)),
        deadline,
      );
      for (const [write, rejection] of others) bad.set(write, rejection);
      for (const [{ writer }, rejection] of bad) refused.set(writer.change, rejection);
      // Without its last change a document would be what the change before made of it.
      writes = [...bad.keys()].flatMap(({ key }) => earlier.get(key)?.pop() ?? []);
    }
    return refused;
  }

  /** Those that a collection's validator refuses: the server tells of many at once. */
  private async invalid(
    writes: readonly PlannedWrite[],
    known: Map<string, CollectionOptions>,
  ): Promise<Map<PlannedWrite, Rejection>> {
    const bad = new Map<PlannedWrite, Rejection>();
    for (const name of new Set(writes.map(({ collection }) => collection))) {
      const options = known.get(name) ?? (await this.optionsOf(name));
      known.set(name, options);
      const { validator, validationLevel: level = 'strict', validationAction = 'error', collation } = options;
      if (!validator || level === 'off' || validationAction === 'warn') continue;
      // With `moderate` what was invalid before may stay so.
      const checked = writes.filter(
        ({ collection, kind }) => collection === name && (level === 'strict' || kind === 'insert'),
      );
      const valid = await matching(this.oplog.db, checked, validator, collation);
      if (!valid) continue;
      const good = new Set(valid);
      for (const write of checked) if (!good.has(write)) bad.set(write, INVALID);
    }
    return bad;
  }

  private async optionsOf(name: string): Promise<CollectionOptions> {
    const { collectionName } = this.collections.get(name)?.store ?? { collectionName: name };
    const [found] = await this.oplog.db.listCollections({ name: collectionName }).toArray();
    return (found as { options?: CollectionOptions } | undefined)?.options ?? {};
  }

  /** @param writes at most one of each document: transactions at the same time would stand in each other's way */
  private async sift(
    plan: Plan,
    writes: readonly PlannedWrite[],
    deadline: number,
  ): Promise<Map<PlannedWrite, Rejection>> {
    const bad = new Map<PlannedWrite, Rejection>();
    /** The next one is the last. */
    const waiting = [...writes].reverse();
    let size = FIRST_SIZE;
    const lane = async (session: mongo.ClientSession): Promise<void> => {
      while (waiting.length > 0 && performance.now() < deadline) {
        const some = waiting.splice(-size).reverse();
        const found = await this.firstRefused(session, plan, some);
        const at = some.findIndex(({ writer }) => writer === found?.writer);
        const culprit = some[at];
        if (!found || !culprit) {
          size = Math.min(size * 2, LARGEST_SIZE);
          continue;
        }
        if (found.isOfDocument) bad.set(culprit, found.rejection);
        // Those before it were taken.
        waiting.push(...some.slice(at + 1).reverse());
        size = Math.max(1, Math.floor((size + at) / 2));
      }
    };
    const lanes = Math.min(AT_ONCE, Math.ceil(writes.length / FIRST_SIZE));
    await Promise.all(Array.from({ length: lanes }, () => this.sessions.use(lane, deadline)));
    return bad;
  }

  /** Undefined also when it cannot be told now, because somebody else is writing one of the documents: the next try tells. */
  private async firstRefused(
    session: mongo.ClientSession,
    plan: Plan,
    writes: readonly PlannedWrite[],
  ): Promise<RefusedWrite | undefined> {
    try {
      session.startTransaction(TRANSACTION_OPTIONS);
      await this.writer.write(session, { ...plan, writes, entries: [], receipts: [], heads: [] });
      return undefined;
    } catch (error) {
      return error instanceof RefusedWrite ? error : undefined;
    } finally {
      if (session.inTransaction()) await abortQuietly(session);
    }
  }
}
