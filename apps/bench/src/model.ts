/**
 * What a row of the benchmark is made of. A row measures the same work in several variants; a target compares two of
 * them in the same round, or bounds a figure of ours.
 */

/**
 * `bare`: the driver alone. `echo`: Nest without the sync. `http`: ours over HTTP, for rows of the socket. `ours-1`,
 * `ours-2`: by workers. `original`: the peer.
 */
export const VARIANTS = ['bare', 'echo', 'http', 'ours-1', 'ours-2', 'original'] as const;
export type Variant = (typeof VARIANTS)[number];

/** Rates and times depend on the machine; the others are compared with a baseline as they are. */
export type Unit = 'per second' | 'ms' | 's' | 'count' | 'bytes' | 'MB' | 'percent' | 'times';

export interface Figure {
  readonly name: string;
  /** For the table. */
  readonly label: string;
  readonly unit: Unit;
}

export type Bound = { readonly least: number } | { readonly most: number };

export interface Target {
  readonly figure: string;
  /** Divided by the smallest figure of these, round by round. Missing: the figure itself is bounded. */
  readonly against?: readonly Variant[];
  readonly bound: Bound;
}

/** One variant in one round. */
export interface Sample {
  readonly figures: Readonly<Record<string, number>>;
  /** Why a peer has no figures. Ours stops the run instead. */
  readonly problem?: string;
}

export type Round = Partial<Record<Variant, Sample>>;

/** What is said about a row without running it. */
export interface RowFacts {
  readonly id: string;
  readonly title: string;
  readonly figures: readonly Figure[];
  readonly targets: readonly Target[];
  readonly variants: readonly Variant[];
}

export interface RowResult extends RowFacts {
  readonly rounds: readonly Round[];
  /** Everything about the row, data and checks included. */
  readonly tookSeconds?: number;
}
