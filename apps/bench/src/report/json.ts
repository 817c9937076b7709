import type { RowResult, Variant } from '../model';
import type { Summary } from '../stats/summary';
import { figureOf, judge, type Verdict } from '../stats/verdict';

/** What a run was made with. Nothing that names the machine. */
export interface Circumstances {
  readonly date: string;
  readonly seed: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly quick: boolean;
  readonly peers: boolean;
  readonly node: string;
  readonly mongod: string;
  readonly cores: number;
}

export interface ReportRow extends RowResult {
  readonly summary: Partial<Record<Variant, Record<string, Summary>>>;
  readonly verdicts: readonly Verdict[];
}

/** The file of --json, and of a baseline. */
export interface Report {
  readonly circumstances: Circumstances;
  readonly rows: readonly ReportRow[];
}

export function reportOf(circumstances: Circumstances, results: readonly RowResult[]): Report {
  return {
    circumstances,
    rows: results.map((result) => ({ ...result, summary: summaryOf(result), verdicts: judge(result) })),
  };
}

function summaryOf(result: RowResult): ReportRow['summary'] {
  const summary: ReportRow['summary'] = {};
  for (const variant of result.variants) {
    const figures: Record<string, Summary> = {};
    for (const name of new Set(
      result.rounds.flatMap((round) => Object.keys(round[variant]?.figures ?? {})),
    )) {
      const figure = figureOf(result, variant, name);
      if (figure) figures[name] = figure;
    }
    summary[variant] = figures;
  }
  return summary;
}
