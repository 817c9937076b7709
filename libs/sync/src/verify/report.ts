import mongoose from 'mongoose';
import type { ComparedCollection } from './compared-collection';
import type { Tally } from './comparison';
import type { DifferenceKind, Finding } from './difference';
import type { LogFault } from './log-run';
import type { UnscopedDocuments } from './unscoped';

/** One document of which collection and log tell different things. Versions only: never what it holds. */
export interface Difference {
  /** Its stored id, as Extended JSON. */
  readonly doc: string;
  readonly what: DifferenceKind;
  /** The document's version; null: it has none, or is not there. */
  readonly document: string | null;
  /** The version of its newest entry above the floor; null: there is none. */
  readonly log: string | null;
}

/** What was compared of one collection of one scope. */
export interface Comparison extends Tally {
  readonly scope: string;
  readonly collection: string;
  readonly differences: number;
  readonly examples: readonly Difference[];
}

/** What is wrong with the log of one scope itself. */
export interface FaultyLog {
  readonly scope: string;
  readonly what: LogFault;
}

/** Whether collections and log say the same, and what was done where they did not. */
export interface VerifyReport {
  readonly scopes: number;
  readonly documents: number;
  readonly tombstones: number;
  /** Documents of which collection and log tell different things, and logs that cannot be followed. */
  readonly differences: number;
  /** Those of them that are still there: all without `repair`. */
  readonly left: number;
  /** Scopes whose devices load again, because nobody could tell what they lack. */
  readonly reloads: number;
  /** Some of them. */
  readonly reloaded: readonly string[];
  /** Documents below the floor without a hash: of their content nobody can tell whether it was recorded. */
  readonly unknown: number;
  readonly logs: readonly FaultyLog[];
  /** Documents that are in no scope; they are no differences. */
  readonly unscoped: readonly UnscopedDocuments[];
  /** Collections of which an adoption without the log is not finished: what it has not told yet differs until it is. */
  readonly adopting: readonly string[];
  /** As many as asked for, those that differ first. */
  readonly compared: readonly Comparison[];
  /** Comparisons that have no row. */
  readonly more: number;
}

export interface VerifyProgress {
  readonly scopes: number;
  readonly documents: number;
  readonly differences: number;
}

/** Differences that are shown of one collection of one scope. */
const EXAMPLES = 5;
/** Scopes and logs that are named. */
const NAMED = 100;

/** Sums up. What it holds is bounded by the rows that are asked for. */
export class Tallies {
  private readonly same: Comparison[] = [];
  private readonly different: Comparison[] = [];
  private readonly examples = new Map<string, { count: number; examples: Difference[] }>();
  private readonly reloaded: string[] = [];
  private readonly logs: FaultyLog[] = [];
  private readonly unscoped: UnscopedDocuments[] = [];
  private readonly adopting = new Set<string>();
  private readonly sums = {
    scopes: 0,
    documents: 0,
    tombstones: 0,
    differences: 0,
    left: 0,
    reloads: 0,
    unknown: 0,
  };
  private comparisons = 0;

  /** Comparisons under way. */
  private readonly running = new Set<{ readonly tally: Tally }>();

  constructor(private readonly rows: number) {}

  get progress(): VerifyProgress {
    const { scopes, documents, differences } = this.sums;
    const seen = [...this.running].reduce((sum, { tally }) => sum + tally.live, documents);
    return { scopes, documents: seen, differences };
  }

  begin(comparison: { readonly tally: Tally }): void {
    this.running.add(comparison);
  }

  scope(): void {
    this.sums.scopes += 1;
  }

  found(scope: string, { name }: ComparedCollection, findings: readonly Finding[]): void {
    this.sums.differences += findings.length;
    const key = JSON.stringify([scope, name]);
    const of = this.examples.get(key) ?? { count: 0, examples: [] };
    of.count += findings.length;
    for (const finding of findings.slice(0, EXAMPLES - of.examples.length)) of.examples.push(shown(finding));
    if (findings.length > 0) this.examples.set(key, of);
  }

  faulty(scope: string, what: LogFault): void {
    this.sums.differences += 1;
    if (this.logs.length < NAMED) this.logs.push({ scope, what });
  }

  left(count: number): void {
    this.sums.left += count;
  }

  reload(scope: string): void {
    this.sums.reloads += 1;
    if (this.reloaded.length < NAMED) this.reloaded.push(scope);
  }

  inNoScope(documents: UnscopedDocuments | undefined): void {
    if (documents) this.unscoped.push(documents);
  }

  unfinished(names: readonly string[]): void {
    for (const name of names) this.adopting.add(name);
  }

  end(scope: string, { name }: ComparedCollection, comparison: { readonly tally: Tally }): void {
    const { tally } = comparison;
    this.running.delete(comparison);
    this.sums.documents += tally.live;
    this.sums.tombstones += tally.tombstones;
    this.sums.unknown += tally.unknown;
    const key = JSON.stringify([scope, name]);
    const { count, examples } = this.examples.get(key) ?? { count: 0, examples: [] };
    this.examples.delete(key);
    this.comparisons += 1;
    const rows = count > 0 ? this.different : this.same;
    if (rows.length < this.rows)
      rows.push({ scope, collection: name, ...tally, differences: count, examples });
  }

  report(): VerifyReport {
    const { sums, reloaded, logs, unscoped, adopting } = this;
    const compared = [...this.different.sort(byScope), ...this.same.sort(byScope)].slice(0, this.rows);
    const more = this.comparisons - compared.length;
    return { ...sums, reloaded, logs, unscoped, adopting: [...adopting].sort(), compared, more };
  }
}

function byScope(one: Comparison, other: Comparison): number {
  return one.scope < other.scope || (one.scope === other.scope && one.collection < other.collection) ? -1 : 1;
}

function shown({ storedId, what, document, log }: Finding): Difference {
  const doc = mongoose.mongo.BSON.EJSON.stringify(storedId, { relaxed: true }).slice(0, 200);
  return { doc, what, document, log };
}
