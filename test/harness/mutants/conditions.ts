import type { SyncOptions } from 'nest-offline-sync';

/** What goes wrong around the servers while the check runs. Made by mongod's fail points, for these servers alone. */
export interface CommitFault {
  /** Of the commits of the engine's transactions, 0 to 1. */
  readonly share: number;
  /** `fails`: the transaction is lost, as after a conflict. A number: the commit waits that many milliseconds. */
  readonly commit: 'fails' | { readonly waitsMs: number };
}

/** The surroundings that a build runs in. The unbroken build passes in all of them. */
export interface Condition {
  readonly processes: 1 | 2;
  /** How far the clock of each process is ahead. Milliseconds; none: not at all. */
  readonly clocksMs?: readonly number[];
  readonly fault?: CommitFault;
  /** Of the module, in addition to collections and token. */
  readonly options?: Partial<SyncOptions>;
}

const SLOW: CommitFault = { share: 0.5, commit: { waitsMs: 40 } };

export const CONDITIONS = {
  calm: { processes: 1 },
  /** A commit takes long enough for others to look between a write and its commit. */
  'slow commits': { processes: 1, fault: SLOW },
  'failing commits': { processes: 1, fault: { share: 0.2, commit: 'fails' } },
  /** Two processes write the same scopes. */
  rivals: { processes: 2, fault: SLOW },
  /** Two processes whose clocks are three seconds apart. */
  'rivals with other clocks': { processes: 2, clocksMs: [1_500, -1_500] },
  /** The log keeps so little that readers fall behind it within the check. */
  trimming: {
    processes: 1,
    options: { oplogMaxEntries: 40, trimIntervalMs: 100, trimGraceMs: 500 },
  },
} as const satisfies Record<string, Condition>;

export type ConditionName = keyof typeof CONDITIONS;
