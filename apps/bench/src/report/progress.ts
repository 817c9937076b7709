import { SingleBar } from 'cli-progress';
import type { RowResult, Variant } from '../model';
import { roundsOf, variantsOf, warmsUp, type Watcher } from '../run';
import type { Options } from '../options';
import type { Row } from '../rows/bench';
import { table } from './table';

/** Between two turns: building the inputs, reading the answers, counting in the database. */
const SHARE_OUTSIDE = 0.3;
/** A quick run has less of everything. */
const QUICK_SHARE = 0.5;

/** A bar on a terminal, a line a row elsewhere. */
export class Progress implements Watcher {
  private readonly bar: SingleBar | undefined;

  constructor(rows: readonly Row[], options: Options) {
    const turns = rows.reduce((sum, row) => sum + turnsOf(row, options), 0);
    console.error(
      `${String(rows.length)} rows, ${String(turns)} turns, about ${duration(estimate(rows, options))}.`,
    );
    if (!process.stderr.isTTY) return;
    this.bar = new SingleBar({
      format: '[{bar}] {percentage} % | {row} | {variant} | {eta_formatted} left',
      stream: process.stderr,
      clearOnComplete: true,
      hideCursor: true,
    });
    this.bar.start(turns, 0, { row: '', variant: '' });
  }

  row({ title }: Row): void {
    this.bar?.update({ row: title });
  }

  turn(row: Row, variant: Variant): void {
    this.bar?.increment(1, { row: row.title, variant });
  }

  done(result: RowResult): void {
    if (this.bar) return;
    console.error(table([result]).split('\n').slice(2).join('\n'));
    console.error(`  (${String(result.tookSeconds)} s)`);
  }

  end(): void {
    this.bar?.stop();
  }
}

/** How long a run will take, roughly, in seconds. */
export function estimate(rows: readonly Row[], options: Options): number {
  return rows.reduce((sum, row) => {
    const turn =
      (row.timed ? options.seconds * (1 + SHARE_OUTSIDE) : 0) +
      row.overheadSeconds * (options.quick ? QUICK_SHARE : 1);
    return sum + turnsOf(row, options) * turn;
  }, 5);
}

function turnsOf(row: Row, options: Options): number {
  const rounds = roundsOf(row, options) + (warmsUp(row, options) ? 1 : 0);
  return rounds * variantsOf(row, options).length;
}

function duration(seconds: number): string {
  return seconds < 90 ? `${String(Math.round(seconds))} s` : `${String(Math.round(seconds / 60))} min`;
}
