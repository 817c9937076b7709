import type { Figure, RowResult, Variant } from '../model';
import { figureOf, judge, JUDGED, ratioOf, type Verdict } from '../stats/verdict';
import { formatBound, formatFigure, formatRatio } from './format';

/** One line of the table: a figure of a row. All cells are text. */
export interface Line {
  /** Of the first line of a row; else ''. */
  readonly title: string;
  readonly figure: string;
  readonly cells: Readonly<Record<Variant, string>>;
  readonly againstLimit: string;
  readonly againstOriginal: string;
}

export function linesOf(result: RowResult): Line[] {
  const verdicts = judge(result);
  return result.figures.map((figure, index) => ({
    title: index === 0 ? result.title : '',
    figure: figure.label,
    cells: cellsOf(result, figure),
    againstLimit: limitText(result, figure, verdicts),
    againstOriginal: verdictTexts(
      figure,
      verdicts.filter(({ against }) => against?.includes('original')),
    ),
  }));
}

function cellsOf(result: RowResult, figure: Figure): Record<Variant, string> {
  const cell = (variant: Variant): string => {
    const value = figureOf(result, variant, figure.name);
    return value === undefined ? '' : formatFigure(value.median, figure.unit);
  };
  return {
    bare: cell('bare'),
    echo: cell('echo'),
    http: cell('http'),
    'ours-1': cell('ours-1'),
    'ours-2': cell('ours-2'),
    original: cell('original'),
  };
}

/** The target against the limits, or against nothing; without one, the ratio to the bare driver as it is. */
function limitText(result: RowResult, figure: Figure, verdicts: readonly Verdict[]): string {
  const text = verdictTexts(
    figure,
    verdicts.filter(({ against }) => !against?.includes('original')),
  );
  if (text !== '' || figure.name === 'failures') return text;
  const ratio = ratioOf(result, figure.name, ['bare'], JUDGED);
  return ratio === undefined ? '' : formatRatio(ratio);
}

function verdictTexts(figure: Figure, verdicts: readonly Verdict[]): string {
  return verdicts
    .filter((verdict) => verdict.figure === figure.name && verdict.value !== undefined)
    .map((verdict) => verdictText(figure, verdict))
    .join(', ');
}

function verdictText(figure: Figure, { value, met, against, bound }: Verdict): string {
  if (value === undefined) return '';
  const mark = met === true ? '✓' : '✗';
  return against
    ? `${formatRatio(value)} ${formatBound(bound)} ${mark}`
    : `${formatFigure(value.median, figure.unit)} ${formatBound(bound, figure.unit)} ${mark}`;
}
