import { SyncError } from 'nest-offline-sync-protocol';
import type { OplogRepository } from '../log/oplog';
import type { ComparedCollection } from './compared-collection';
import { CollectionComparison } from './comparison';
import { isForeign, type Finding } from './difference';
import { logFault } from './log-check';
import type { Repairs } from './repairs';
import { Tallies, type VerifyProgress, type VerifyReport } from './report';
import { expectIndex, scopesOf } from './scopes';
import { countUnscoped, namedOnly, unscopedOf } from './unscoped';

export interface VerificationPlan {
  readonly collections: readonly ComparedCollection[];
  /** Only this one. */
  readonly scope: string | undefined;
  /** Rows of the report. */
  readonly rows: number;
  /** Undefined: nothing is written. */
  readonly repairs?: Repairs;
  readonly signal: AbortSignal;
  readonly mayContinue: () => Promise<boolean>;
  readonly onProgress: (progress: VerifyProgress) => void;
}

/**
 * One run over all scopes. It holds a window of documents at a time, and can be broken off anywhere: what is recorded differs
 * no more, the rest is found again.
 */
export class Verification {
  private readonly tallies: Tallies;

  constructor(
    private readonly oplog: OplogRepository,
    private readonly plan: VerificationPlan,
  ) {
    this.tallies = new Tallies(plan.rows);
  }

  /** @throws SyncError `configuration` for a scope that nothing names; `shutting_down` when it was told to stop */
  async run(): Promise<VerifyReport> {
    const { collections, scope: only } = this.plan;
    for (const { name } of collections) await expectIndex(this.oplog, name);
    for (const collection of collections) await this.takeIn(collection);
    await inLanes(scopesOf(this.oplog, collections, only), async (scope) => {
      await this.goOn();
      await new ScopeVerification(this.oplog, this.plan, this.tallies, scope).run();
      this.tallies.scope();
    });
    const { scopes } = this.tallies.progress;
    if (only !== undefined && scopes === 0)
      throw new SyncError(
        'configuration',
        `scope: no scope ${JSON.stringify(only)} has a log or documents here.`,
      );
    for (const collection of collections) this.tallies.inNoScope(await countUnscoped(collection));
    return this.tallies.report();
  }

  /** Documents that have no scope, where a field of theirs names one. */
  private async takeIn(collection: ComparedCollection): Promise<void> {
    const { signal, repairs, mayContinue, scope: only } = this.plan;
    for await (const all of namedOnly(collection, signal)) {
      await this.goOn();
      const named = all.filter(({ scope }) => only === undefined || scope === only);
      const scopes = new Map<string, Finding[]>();
      for (const { scope, finding } of named) scopes.set(scope, [...(scopes.get(scope) ?? []), finding]);
      for (const [scope, findings] of scopes) {
        this.tallies.found(scope, collection, findings);
        await repairs?.record(scope, collection.name, findings, mayContinue);
      }
      this.tallies.left(repairs ? (await unscopedOf(collection.store, named)).size : named.length);
    }
  }

  private async goOn(): Promise<void> {
    if (!(await this.plan.mayContinue())) throw stopped();
  }
}

class ScopeVerification {
  private isRaised = false;
  private isRecorded = false;

  constructor(
    private readonly oplog: OplogRepository,
    private readonly plan: VerificationPlan,
    private readonly tallies: Tallies,
    private readonly scope: string,
  ) {}

  async run(): Promise<void> {
    const { oplog, plan, scope, tallies } = this;
    const fault = await logFault(oplog, scope);
    if (fault !== undefined) {
      tallies.faulty(scope, fault);
      // Devices could not follow such a log: they begin again above all of it.
      await this.raise();
      if (!plan.repairs || (await logFault(oplog, scope)) !== undefined) tallies.left(1);
    }
    const { adopting = [] } = (await oplog.readHead(scope)) ?? {};
    tallies.unfinished(adopting);
    const lived = plan.collections.filter(({ livesIn }) => livesIn(scope));
    for (const collection of lived) await this.compare(collection, adopting.includes(collection.name));
    if (this.isRaised && !this.isRecorded)
      await plan.repairs?.wake(
        scope,
        lived.map(({ name }) => name),
        plan.mayContinue,
      );
  }

  private async compare(collection: ComparedCollection, isAdopting: boolean): Promise<void> {
    const { oplog, plan, scope, tallies } = this;
    const comparison = new CollectionComparison(oplog, collection, scope, plan.signal);
    tallies.begin(comparison);
    for await (const findings of comparison.findings()) {
      if (!(await plan.mayContinue())) throw stopped();
      tallies.found(scope, collection, findings);
      // The run that has begun with them will tell.
      const due = isAdopting ? findings.filter(({ what }) => what !== 'no entry') : findings;
      tallies.left(findings.length - due.length + (await this.repair(collection, comparison, due)));
      plan.onProgress(tallies.progress);
    }
    tallies.end(scope, collection, comparison);
  }

  /** @returns how many differ still */
  private async repair(
    { name }: ComparedCollection,
    comparison: CollectionComparison,
    findings: readonly Finding[],
  ): Promise<number> {
    const { plan, scope } = this;
    if (!plan.repairs || findings.length === 0) return findings.length;
    // First: killed behind it, nothing is forgotten that only the differences have shown.
    if (findings.some(({ what }) => isForeign(what)) && (await plan.repairs.isTrimmed(scope)))
      await this.raise();
    this.isRecorded = true;
    let still = findings;
    // Somebody else may have recorded a document in between, but not for this scope: it has another version then.
    for (let tries = 0; tries < TRIES && still.length > 0; tries++) {
      await plan.repairs.record(scope, name, still, plan.mayContinue);
      still = await comparison.look(still.map(({ storedId }) => storedId));
    }
    return still.length;
  }

  private async raise(): Promise<void> {
    if (this.isRaised || !this.plan.repairs) return;
    this.isRaised = true;
    await this.plan.repairs.raise(this.scope);
    this.tallies.reload(this.scope);
  }
}

const TRIES = 3;
/** Scopes at a time: while one waits for its second look, or for the database, others go on. */
const LANES = 4;

/** @throws what the first work has thrown, when all have ended */
async function inLanes<T>(items: AsyncGenerator<T>, work: (item: T) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  const lane = async (): Promise<void> => {
    try {
      for (let next = await items.next(); next.done !== true; next = await items.next()) {
        if (failures.length > 0) return;
        await work(next.value);
      }
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  if (failures.length > 0) throw failures[0];
}

function stopped(): SyncError {
  return new SyncError('shutting_down', 'The run was stopped; the next one begins again.');
}
