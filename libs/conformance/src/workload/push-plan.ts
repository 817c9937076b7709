import type { Flaw } from '../history';
import type { Random } from './random';

/**
 * What a writer does next, decided by chance alone and never by what a server answered: the same seed gives the same
 * sequence, however fast the deployment is.
 */
export interface PushPlan {
  readonly atomic: 'batch' | 'mutation';
  readonly changes: readonly ChangePlan[];
  /** How many of the changes make a group, one after another; 0: none is in a group. */
  readonly grouped: number;
  /** The same request twice at the same time. */
  readonly twice: boolean;
  /** Pull right after the answer. */
  readonly pullAfter: boolean;
  /** Share of the mean pause to wait before: 0 to 2. */
  readonly pause: number;
}

export type ChangePlan =
  | EditPlan
  | {
      readonly do: 'again';
      /** Which earlier mutation, counted back from the last. */ readonly back: number;
    };

export interface EditPlan {
  readonly do: 'edit';
  /** Index of the collection. */
  readonly collection: number;
  /** Whose document: the writer's own ones, or a few that all writers edit. */
  readonly of: 'own' | 'shared';
  readonly doc: number;
  readonly operation: 'upsert' | 'delete';
  /** What to name as parent: what the writer knows, nothing, or what it knew first. */
  readonly parent: 'known' | 'none' | 'first';
  /** Whether it carries an edit stamp. */
  readonly stamp: boolean;
  readonly flaw: Flaw | null;
}

export interface PlanLimits {
  readonly collections: number;
  readonly maxBatch: number;
  readonly flaws: boolean;
}

/** Few, so that writers meet. */
export const SHARED_DOCS = 6;
/** How many mutations back a writer repeats itself. */
export const MEMORY = 64;

/** By the number of the push, so that the shortest run has one of each. */
const EARLY_FLAWS: Readonly<Partial<Record<number, Flaw>>> = {
  3: 'clock-ahead',
  5: 'shape',
  7: 'unknown-collection',
};

export class PushPlanner {
  /** Own documents made so far, by collection. */
  private readonly made: number[];
  private mutations = 0;
  private pushes = 0;

  constructor(
    private readonly random: Random,
    private readonly limits: PlanLimits,
  ) {
    this.made = Array.from({ length: limits.collections }, () => 0);
  }

  next(): PushPlan {
    const { random } = this;
    this.pushes += 1;
    const atomic = random.chance(0.5) ? 'batch' : 'mutation';
    const twice = random.chance(0.1);
    const pullAfter = random.chance(0.3);
    const pause = random.next() * 2;
    // Once early and then rarely: it is a megabyte.
    if (this.limits.flaws && (this.pushes === 20 || random.chance(0.0005)))
      return { atomic, changes: [this.edit('too-large')], grouped: 0, twice: false, pullAfter: false, pause };
    const early = this.limits.flaws ? EARLY_FLAWS[this.pushes] : undefined;
    if (early)
      return { atomic: 'mutation', changes: [this.edit(early)], grouped: 0, twice, pullAfter, pause };
    const again = new Set<number>();
    const changes = Array.from({ length: this.size() }, (): ChangePlan => {
      const back = random.between(1, MEMORY);
      if (random.chance(0.06) && back <= this.mutations && !again.has(back)) {
        again.add(back);
        return { do: 'again', back };
      }
      return this.edit(this.flaw(atomic), atomic === 'batch' ? 0.04 : 0.2);
    });
    this.mutations += changes.filter((change) => change.do === 'edit').length;
    const grouped = atomic === 'mutation' && random.chance(0.4) ? random.between(2, 5) : 0;
    return { atomic, changes, grouped, twice, pullAfter, pause };
  }

  /** Most are small, as devices push them. */
  private size(): number {
    const { random, limits } = this;
    const dice = random.next();
    const most = dice < 0.6 ? 3 : dice < 0.92 ? 12 : limits.maxBatch;
    return random.between(1, Math.min(most, limits.maxBatch));
  }

  /** Rarer where one of them takes the whole batch back. */
  private flaw(atomic: 'batch' | 'mutation'): Flaw | null {
    const { random, limits } = this;
    if (!random.chance(atomic === 'batch' ? 0.01 : 0.03) || !limits.flaws) return null;
    return random.pick(['shape', 'clock-ahead', 'unknown-collection'] as const);
  }

  private edit(flaw: Flaw | null, sharedShare = 0): EditPlan {
    const { random } = this;
    const collection = random.between(0, this.limits.collections - 1);
    const of = flaw === null && random.chance(sharedShare) ? 'shared' : 'own';
    const made = this.made[collection] ?? 0;
    const isNew = of === 'own' && (made === 0 || random.chance(0.45));
    const doc =
      of === 'shared' ? random.between(0, SHARED_DOCS - 1) : isNew ? made : random.between(0, made - 1);
    if (isNew) this.made[collection] = made + 1;
    const operation = flaw === null && !isNew && random.chance(0.15) ? 'delete' : 'upsert';
    const dice = random.next();
    const parent = of === 'own' || dice < 0.6 ? 'known' : dice < 0.8 ? 'none' : 'first';
    return { do: 'edit', collection, of, doc, operation, parent, stamp: random.chance(0.3), flaw };
  }
}
