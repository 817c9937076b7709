import type { Bound, RowResult, Unit } from '../model';
import { ratioOf, judge, JUDGED } from './verdict';
import type { Summary } from './summary';

/** Something that should be the same on another machine: a ratio of one run, or a size. */
export interface Comparable {
  readonly name: string;
  readonly value: Summary;
  /** Which way is better. */
  readonly better: 'more' | 'less';
}

export interface Change {
  readonly row: string;
  readonly name: string;
  readonly before: Summary;
  readonly now: Summary;
  readonly worse: boolean;
}

/** Few rounds have hardly a spread: what is nearer than this is no change. */
export const SLACK = 0.05;

/** Units whose figures do not depend on how fast the machine is. */
const PORTABLE: readonly Unit[] = ['times', 'bytes', 'count'];

/**
 * What a later run can be held against: ours against the limits, and figures that are no rates or times. Not against
 * the original, whose figures jump.
 */
export function comparables(result: RowResult): Comparable[] {
  const unitOf = (figure: string): Unit | undefined =>
    result.figures.find(({ name }) => name === figure)?.unit;
  const judged = judge(result).flatMap(({ figure, against, bound, value }): Comparable[] => {
    if (!value || against?.includes('original')) return [];
    if (!against && !PORTABLE.includes(unitOf(figure) ?? 'count')) return [];
    const name = against ? `${figure} / ${against.join(' or ')}` : figure;
    return [{ name, value, better: betterOf(bound) }];
  });
  const [main] = result.figures;
  if (!main || result.targets.some(({ figure }) => figure === main.name)) return judged;
  // No target, but a limit: the ratio says the same.
  const value = ratioOf(result, main.name, ['bare'], JUDGED);
  if (!value) return judged;
  return [
    ...judged,
    { name: `${main.name} / bare`, value, better: main.unit === 'per second' ? 'more' : 'less' },
  ];
}

/** Worse: even the best round of now is behind the worst one of then. Rows that only one run has are left out. */
export function compareRuns(before: readonly RowResult[], now: readonly RowResult[]): Change[] {
  return now.flatMap((result) => {
    const earlier = before.find(({ id }) => id === result.id);
    const known = new Map(earlier ? comparables(earlier).map((each) => [each.name, each.value]) : []);
    return comparables(result).flatMap(({ name, value, better }): Change[] => {
      const then = known.get(name);
      if (!then) return [];
      return [{ row: result.title, name, before: then, now: value, worse: isWorse(then, value, better) }];
    });
  });
}

function isWorse(before: Summary, now: Summary, better: 'more' | 'less'): boolean {
  return better === 'more' ? now.max < before.min * (1 - SLACK) : now.min > before.max * (1 + SLACK);
}

function betterOf(bound: Bound): 'more' | 'less' {
  return 'least' in bound ? 'more' : 'less';
}
