import type { HistoryEvent } from './history';

/** docs/protocol.md, "Invariants". */
export const INVARIANTS = {
  1: 'Atomic',
  2: 'Order',
  3: 'Complete',
  4: 'Idempotent',
  5: 'Isolated',
  6: 'Convergent',
  7: 'Never silently too late',
  8: 'Bounded clock',
  9: 'Bounded memory',
  10: 'Disposed',
  11: 'Same for the server',
} as const;

export type InvariantNumber = keyof typeof INVARIANTS;

export interface Violation {
  readonly invariant: InvariantNumber;
  /** What is wrong, with the versions, documents and readers that show it. */
  readonly message: string;
  /** The fewest events that show it, in order. */
  readonly history: readonly HistoryEvent[];
}

export interface Finding {
  readonly invariant: InvariantNumber;
  /** Facts that were compared; 0: the run did not exercise it, which is not the same as that it holds. */
  readonly checks: number;
  /** How often it was violated. */
  readonly violated: number;
  /** The first of them, at most 20, shortest history first. */
  readonly violations: readonly Violation[];
  /** What this history cannot show about it, in sentences. */
  readonly unchecked: readonly string[];
}

export interface Verdict {
  readonly seed: number;
  /** The command that replays the run, when the history has it. */
  readonly command: string | null;
  /** One an invariant, in their order. */
  readonly findings: readonly Finding[];
  /** Whether nothing was violated. */
  readonly held: boolean;
}
