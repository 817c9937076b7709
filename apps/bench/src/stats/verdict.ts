import type { Bound, Round, RowResult, Target, Variant } from '../model';
import { summarize, type Summary } from './summary';

/** The variant that targets refer to. */
export const JUDGED: Variant = 'ours-1';

/** The ratio to a peer from which nothing usable came. A number, because JSON has no infinity. */
export const BEYOND = 1e9;

/** How a target came out. */
export interface Verdict extends Target {
  /** The ratio, or the figure itself; missing when a variant was not run. */
  readonly value?: Summary;
  readonly met?: boolean;
}

/** Median and spread of a figure over the rounds that have it. */
export function figureOf(result: RowResult, variant: Variant, figure: string): Summary | undefined {
  return ofRounds(result.rounds, (round) => round[variant]?.figures[figure]);
}

/**
 * The figure over the smallest of the others, round by round: what disturbs the machine for a while disturbs both
 * sides of a ratio.
 */
export function ratioOf(
  result: RowResult,
  figure: string,
  against: readonly Variant[],
  of: Variant = JUDGED,
): Summary | undefined {
  return ofRounds(result.rounds, (round) => {
    const own = round[of]?.figures[figure];
    const others = against.map((variant) => round[variant]?.figures[figure]);
    if (own === undefined || others.length === 0 || !others.every((value) => value !== undefined))
      return undefined;
    const limit = Math.min(...others);
    return limit === 0 ? BEYOND : own / limit;
  });
}

export function judge(result: RowResult): Verdict[] {
  return result.targets.map((target) => {
    const value = target.against
      ? ratioOf(result, target.figure, target.against)
      : figureOf(result, JUDGED, target.figure);
    return value === undefined ? target : { ...target, value, met: within(value.median, target.bound) };
  });
}

export function within(value: number, bound: Bound): boolean {
  return 'least' in bound ? value >= bound.least : value <= bound.most;
}

function ofRounds(
  rounds: readonly Round[],
  value: (round: Round) => number | undefined,
): Summary | undefined {
  // JSON turns NaN into null.
  const values = rounds.map(value).filter((each) => Number.isFinite(each));
  return values.length === 0 ? undefined : summarize(values as number[]);
}
