import type { Figure, Round, RowResult, Target } from '../model';

const RATE: Figure = { name: 'rate', label: 'changes', unit: 'per second' };

/** A row's result for the specs, from the rates of its rounds. */
export function rates(
  rounds: readonly Partial<Record<keyof Round, number>>[],
  targets: readonly Target[] = [],
  figures: readonly Figure[] = [RATE],
): RowResult {
  const variants = Object.keys(rounds[0] ?? {}) as (keyof Round)[];
  return {
    id: 'row',
    title: 'a row',
    figures,
    targets,
    variants,
    rounds: rounds.map((round) =>
      Object.fromEntries(
        Object.entries(round).map(([variant, value]) => [
          variant,
          { figures: { [figures[0]?.name ?? '']: value } },
        ]),
      ),
    ),
  };
}
