import type { Options } from './options';
import type { Round, RowResult, Sample, Variant } from './model';
import type { Bench, Row, Trial } from './rows/bench';

/** Of a timed region; before the rounds, so that code is compiled and caches are warm. */
const WARM_UP_SHARE = 0.5;

/** Called with the progress of a run. */
export interface Watcher {
  row(row: Row): void;
  turn(row: Row, variant: Variant, round: number): void;
  done(result: RowResult): void;
}

/** Measures rows one after another; within a row the variants take turns. */
export async function runRows(
  bench: Bench,
  rows: readonly Row[],
  options: Options,
  watcher: Watcher,
): Promise<RowResult[]> {
  const results: RowResult[] = [];
  for (const row of rows) {
    watcher.row(row);
    const result = await runRow(bench, row, options, watcher);
    results.push(result);
    watcher.done(result);
  }
  return results;
}

/** The variants of a row that this run measures. */
export function variantsOf(row: Row, { peers }: Pick<Options, 'peers'>): Variant[] {
  return row.variants.filter((variant) => peers || variant !== 'original');
}

/** Not in a quick run: it only shows that everything works. */
export function warmsUp(row: Row, { quick }: Pick<Options, 'quick'>): boolean {
  return row.warmUp !== false && !quick;
}

export function roundsOf(row: Row, { rounds }: Pick<Options, 'rounds'>): number {
  return Math.min(rounds, row.maxRounds ?? rounds);
}

async function runRow(bench: Bench, row: Row, options: Options, watcher: Watcher): Promise<RowResult> {
  const started = performance.now();
  const variants = variantsOf(row, options);
  const trial = await row.open(bench, variants);
  const rounds: Round[] = [];
  try {
    if (warmsUp(row, options))
      for (const variant of variants) {
        watcher.turn(row, variant, 0);
        await measure(trial, row, variant, 0, options.seconds * WARM_UP_SHARE);
      }
    for (let round = 1; round <= roundsOf(row, options); round += 1) {
      const samples: [Variant, Sample][] = [];
      // Another one begins each time, so that none always comes after the same neighbour.
      for (const variant of rotated(variants, round)) {
        watcher.turn(row, variant, round);
        samples.push([variant, await measure(trial, row, variant, round, options.seconds)]);
      }
      rounds.push(Object.fromEntries(samples));
    }
  } finally {
    await trial.close?.();
  }
  const { id, title, figures, targets } = row;
  const tookSeconds = Math.round((performance.now() - started) / 1000);
  return { id, title, figures, targets, variants, rounds, tookSeconds };
}

async function measure(
  trial: Trial,
  { id }: Row,
  variant: Variant,
  round: number,
  seconds: number,
): Promise<Sample> {
  const run = trial.measures[variant];
  if (!run) throw new Error(`${id} has no ${variant}`);
  try {
    return await run({ name: `${id}-${String(round)}-${variant}`, round, seconds });
  } catch (error) {
    // If the peer fails, that is a result; if ours fails, the run ends.
    if (variant === 'original') return { figures: {}, problem: String(error) };
    throw new Error(`${id}, ${variant}, round ${String(round)}: ${String(error)}`, { cause: error });
  }
}

function rotated<T>(values: readonly T[], by: number): T[] {
  const place = by % values.length;
  return [...values.slice(place), ...values.slice(0, place)];
}
