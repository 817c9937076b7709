import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import type { Mutation, RefusedEntry } from './rules/mutation.ts';
import type { Position } from './rules/reader-state.ts';
import type { AccessLost } from './rules/rights.ts';

/** How a mutation ended. */
export type Settlement =
  | { readonly status: 'accepted' | 'resolved'; readonly version: string; readonly document?: object | null }
  | { readonly status: 'rejected'; readonly entry: RefusedEntry }
  /** It was taken back before it was sent. */
  | { readonly status: 'withdrawn' };

/** A conflict that the server has resolved: what the user made, and what became of it. */
export interface Conflict {
  readonly collection: string;
  readonly id: DocId;
  readonly mine: object | null;
  readonly base: object | null;
  /** As others had made it, if this device had read that before the answer came. Null: deleted. */
  readonly theirs: object | null | undefined;
  /** What the server has now. */
  readonly result: object | null | undefined;
}

/** What a transaction has changed, for those who watch. */
export interface Outcome {
  readonly documents: readonly (readonly [collection: string, id: DocId])[];
  /** What the user sees of each now; undefined if it is not known here, since another tab has changed many. */
  readonly shown?: readonly (JsonObject | null)[];
  readonly put: readonly Mutation[];
  readonly gone: readonly number[];
  readonly settlements: readonly (readonly [mutation: string, settlement: Settlement])[];
  readonly conflicts: readonly Conflict[];
  /** Rights that were taken away. */
  readonly losses: readonly AccessLost[];
  /** Collections of which older documents cannot be had any more. */
  readonly incomplete: readonly string[];
  readonly rejectedChanged: boolean;
  /** A load is whole, for the first time or again. */
  readonly isLoaded: boolean;
  /** Anything may have changed: what was told of it may be lost. */
  readonly isAll: boolean;
  /** Where the reader stands now, if it has moved. */
  readonly position?: Position | undefined;
}

/** An {@link Outcome} as one tab tells it to the others: which mutations it has touched, not what became of them. */
export interface ToldOutcome extends Omit<Outcome, 'put' | 'gone' | 'shown' | 'position'> {
  readonly seqs: readonly number[];
}

/** What nothing has changed. */
export const NOTHING: Outcome = {
  documents: [],
  put: [],
  gone: [],
  settlements: [],
  conflicts: [],
  losses: [],
  incomplete: [],
  rejectedChanged: false,
  isLoaded: false,
  isAll: false,
};
