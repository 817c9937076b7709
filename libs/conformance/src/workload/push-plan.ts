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
  /** The same request twice at the same time, where it can be over HTTP and over the socket. */
  readonly twice: boolean;
  readonly overSocket: boolean;
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
  /** Whose document: the writer's own ones, a few that all writers edit, or one that all patch and do nothing else with. */
  readonly of: 'own' | 'shared' | 'hot';
  readonly doc: number;
  readonly operation: 'upsert' | 'patch' | 'delete';
  /** Of a patch. */
  readonly patch: PatchPlan | null;
  /**
   * What to name as parent: what the writer knows, nothing, what it knew first, or its own last mutation of the
   * document, whatever became of it.
   */
  readonly parent: 'known' | 'none' | 'first' | 'mine';
  /** Whether to ask for the document with the answer. */
  readonly returns: boolean;
  /** Whether it carries an edit stamp. */
  readonly stamp: boolean;
  readonly flaw: Flaw | null;
}

export interface PatchPlan {
  /** Whether it sets the field with the marker; else it only adds, removes and counts, which never conflicts. */
  readonly set: boolean;
  /** 0: it does not count. */
  readonly inc: number;
  /** Numbers of values of the list. */
  readonly add: readonly number[];
  readonly remove: readonly number[];
  readonly optional: 'set' | 'unset' | null;
}

export interface PlanLimits {
  readonly collections: number;
  readonly maxBatch: number;
  readonly flaws: boolean;
  /** Which collections take patches, by index; default: none. */
  readonly patchable?: readonly boolean[];
  /** What else the server's wire has; default: nothing. */
  readonly has?: { readonly [Name in 'groups' | 'parents' | 'returns' | 'sockets']?: boolean };
}

/** Few, so that writers meet. */
export const SHARED_DOCS = 6;
export const HOT_DOCS = 2;
/** Different values of a list. */
const LIST_VALUES = 8;
/** How many mutations back a writer repeats itself. */
export const MEMORY = 64;

/** By the number of the push, so that the shortest run has one of each. */
const EARLY_FLAWS: Readonly<Partial<Record<number, Flaw>>> = {
  3: 'clock-ahead',
  5: 'shape',
  7: 'unknown-collection',
  9: 'bad-patch',
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
    const { random, limits } = this;
    this.pushes += 1;
    const atomic = random.chance(0.5) ? 'batch' : 'mutation';
    const twice = random.chance(0.1);
    const pullAfter = random.chance(0.3);
    const pause = random.next() * 2;
    const overSocket = limits.has?.sockets === true && random.chance(0.4);
    const alone = { grouped: 0, overSocket, pause };
    // Once early and then rarely: it is a megabyte.
    if (limits.flaws && (this.pushes === 20 || random.chance(0.0005)))
      return { atomic, changes: [this.edit('too-large')], ...alone, twice: false, pullAfter: false };
    const early = limits.flaws ? EARLY_FLAWS[this.pushes] : undefined;
    if (early) return { atomic: 'mutation', changes: [this.edit(early)], ...alone, twice, pullAfter };
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
    const isGrouped = atomic === 'mutation' && limits.has?.groups === true && random.chance(0.4);
    const grouped = isGrouped ? random.between(2, 5) : 0;
    return { atomic, changes, grouped, twice, overSocket, pullAfter, pause };
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
    return random.pick(['shape', 'clock-ahead', 'unknown-collection', 'bad-patch'] as const);
  }

  private edit(wanted: Flaw | null, sharedShare = 0): EditPlan {
    const { random, limits } = this;
    const collection = random.between(0, limits.collections - 1);
    const patchable = limits.patchable?.[collection] === true;
    const flaw = wanted === 'bad-patch' && !patchable ? 'shape' : wanted;
    const isHot = flaw === null && patchable && random.chance(0.15);
    const of = isHot ? 'hot' : flaw === null && random.chance(sharedShare) ? 'shared' : 'own';
    const made = this.made[collection] ?? 0;
    const isNew = of === 'own' && (made === 0 || random.chance(0.45));
    const doc =
      of === 'hot'
        ? random.between(0, HOT_DOCS - 1)
        : of === 'shared'
          ? random.between(0, SHARED_DOCS - 1)
          : isNew
            ? made
            : random.between(0, made - 1);
    if (isNew) this.made[collection] = made + 1;
    const isPatch =
      isHot || flaw === 'bad-patch' || (flaw === null && patchable && !isNew && random.chance(0.4));
    const operation = isPatch
      ? 'patch'
      : flaw === null && !isNew && random.chance(0.15)
        ? 'delete'
        : 'upsert';
    const dice = random.next();
    const mine = limits.has?.parents === true && !isNew && random.chance(0.25);
    const parent = mine ? 'mine' : of === 'own' || dice < 0.6 ? 'known' : dice < 0.8 ? 'none' : 'first';
    return {
      ...{ do: 'edit', collection, of, doc, operation, parent, stamp: random.chance(0.3), flaw },
      patch: isPatch ? this.patch() : null,
      returns: limits.has?.returns === true && random.chance(0.2),
    };
  }

  private patch(): PatchPlan {
    const { random } = this;
    const values = (): number[] =>
      Array.from({ length: random.between(1, 2) }, () => random.between(0, LIST_VALUES - 1));
    const set = random.chance(0.4);
    // One of the two: no path may be named twice.
    const dice = random.next();
    const [add, remove] = [dice < 0.4 ? values() : [], dice > 0.7 ? values() : []];
    const inc = random.chance(0.7) ? random.between(1, 9) : 0;
    return {
      set,
      inc,
      add,
      remove,
      optional: set && random.chance(0.4) ? random.pick(['set', 'unset'] as const) : null,
    };
  }
}
