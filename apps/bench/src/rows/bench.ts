import type { mongo } from 'mongoose';
import type { BareStore } from '../bare/bare-store';
import type { RowFacts, Sample, Variant } from '../model';
import type { Server } from '../processes/child';
import type { Tokens } from '../workload/tokens';

/** The variants that are served over HTTP and WebSocket. */
export type Served = Exclude<Variant, 'bare' | 'http'>;

/** What rows work with. Servers start when they are first asked for. */
export interface Bench {
  readonly seed: number;
  /** One or two rounds of less: everything is run, nothing is precise. */
  readonly quick: boolean;
  readonly tokens: Tokens;
  /** Looks into all databases, for the checks. */
  readonly client: mongo.MongoClient;
  readonly mongoUri: string;
  bare(): Promise<BareStore>;
  server(variant: Served): Promise<Server>;
  /** A server for one row only, on its own database. */
  ownServer(
    database: string,
    options?: { pingIntervalMs?: number; pages?: string; capture?: boolean },
  ): Promise<Server>;
  /** The peer in its own process, on its own database: one that will hang. */
  ownOriginal(): Promise<Server>;
  /** The bare ws server, one for the run. */
  bareSockets(): Promise<Server>;
  /** A fresh one. */
  ownSockets(): Promise<Server>;
}

export interface Turn {
  /** Unlike in any other turn of the run: for names of scopes. */
  readonly name: string;
  readonly round: number;
  /** How long the timed region should be. */
  readonly seconds: number;
}

/** Measures one variant once. Throws when the output is wrong. */
export type Measure = (turn: Turn) => Promise<Sample>;

/** A row that is ready: its data is there. */
export interface Trial {
  readonly measures: Partial<Record<Variant, Measure>>;
  close?(): Promise<void>;
}

export interface Row extends RowFacts {
  /** Rounds are at most this many, where one costs much. */
  readonly maxRounds?: number;
  /** Roughly what one turn takes in addition to its timed region or instead of it, for the estimate. */
  readonly overheadSeconds: number;
  /** False: a turn is as long as its work takes. */
  readonly timed: boolean;
  /** False: the first turn counts at once. */
  readonly warmUp?: boolean;
  /** @param variants that will be asked for */
  open(bench: Bench, variants: readonly Variant[]): Promise<Trial>;
}

/** The database of a served variant. */
export function databaseOf(variant: Served): string {
  return `bench_${variant.replace('-', '_')}`;
}
