import { summarize } from '../stats/summary';
import type { ClientVariant } from './pages';
import type { Figure } from './scenarios';

interface Target {
  /** At most. */
  readonly most?: number;
  /** At most so many times the limit. */
  readonly ratio?: number;
}
interface Row {
  readonly id: string;
  readonly title: string;
  readonly unit: 'ms' | 'MB' | '';
  readonly target?: Target;
}

/** What is measured, in the order of the table. */
const ROWS: readonly Row[] = [
  { id: 'load 10k', title: 'first load of 10,000', unit: 'ms', target: { most: 400 } },
  {
    id: 'store 10k',
    title: 'the same from memory, against parse and store',
    unit: 'ms',
    target: { ratio: 1.5 },
  },
  { id: 'longest task 10k', title: 'its longest task', unit: 'ms', target: { most: 50 } },
  { id: 'start 10k', title: 'start with 10,000 stored', unit: 'ms', target: { most: 60 } },
  { id: 'load 100k', title: 'first load of 100,000', unit: 'ms', target: { most: 2_500 } },
  {
    id: 'store 100k',
    title: 'the same from memory, against parse and store',
    unit: 'ms',
    target: { ratio: 1.5 },
  },
  { id: 'longest task 100k', title: 'its longest task', unit: 'ms', target: { most: 50 } },
  { id: 'heap, nothing shown', title: 'heap with 100,000, no query', unit: 'MB', target: { most: 60 } },
  { id: 'heap, all shown', title: 'heap with 100,000, all in a query', unit: 'MB' },
  { id: 'add offline', title: '1,000 edits offline', unit: 'ms' },
  { id: 'flush', title: 'sent, when back online', unit: 'ms', target: { most: 400 } },
  { id: 'requests', title: 'in so many pushes', unit: '', target: { most: 1 } },
  { id: 'device to device, p50', title: 'edit to another device, p50', unit: 'ms' },
  { id: 'device to device, p95', title: 'edit to another device, p95', unit: 'ms', target: { most: 40 } },
  { id: 'tab to tab, p50', title: 'edit to another tab, p50', unit: 'ms' },
  { id: 'tab to tab, p95', title: 'edit to another tab, p95', unit: 'ms', target: { most: 30 } },
];

const NAMES: Readonly<Record<ClientVariant, string>> = {
  limits: 'limit',
  ours: 'ours',
  rxdb: 'RxDB',
  tanstack: 'TanStack DB',
};
const BEGIN = '<!-- client: begin (written by npm run bench:client -- --docs) -->';
const END = '<!-- client: end -->';

interface Circumstances {
  readonly date: string;
  readonly rounds: number;
  /** Processes that waited for a core when it began. */
  readonly busy: number;
}

/** What all rounds have given. */
export class Results {
  /** By row and variant, by round. */
  private readonly values = new Map<string, Map<ClientVariant, number[]>>();

  constructor(private readonly variants: readonly ClientVariant[]) {}

  add(round: number, variant: ClientVariant, figures: readonly Figure[]): void {
    for (const [row, value] of figures) {
      const byVariant = this.values.get(row) ?? new Map<ClientVariant, number[]>();
      this.values.set(row, byVariant);
      const all = byVariant.get(variant) ?? [];
      byVariant.set(variant, all);
      all[round] = value;
    }
  }

  rows(): object[] {
    return ROWS.filter(({ id }) => this.values.has(id)).map(({ id, unit, target }) => ({
      id,
      unit,
      target,
      values: Object.fromEntries(this.values.get(id) ?? []),
    }));
  }

  table(): string {
    const lines = this.lines();
    const widths = (lines[0] ?? []).map((_, at) => Math.max(...lines.map((line) => (line[at] ?? '').length)));
    return lines.map((line) => line.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')).join('\n');
  }

  /** @throws Error when the page has no place for it */
  inPage(page: string, { date, rounds, busy }: Circumstances): string {
    const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
    if (begin < 0 || end < begin) throw new Error(`The page has no ${BEGIN} … ${END}`);
    const [head = [], ...rest] = this.lines();
    const rule = head.map((_, at) => (at === 0 || at === head.length - 1 ? '---' : '---:'));
    const table = [head, rule, ...rest].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
    const noise = busy > 0.5 ? ' **The machine was busy: only the ratios say something.**' : '';
    const said = `Measured on ${date.slice(0, 10)}, medians of ${String(rounds)} rounds.${noise}`;
    return `${page.slice(0, begin + BEGIN.length)}\n\n${said}\n\n${table}\n\n${page.slice(end)}`;
  }

  private lines(): string[][] {
    const head = ['', ...this.variants.map((variant) => NAMES[variant]), 'ours / limit', 'target'];
    const rows = ROWS.filter(({ id }) => this.values.has(id)).map(({ id, title, unit, target }) => {
      const of = (variant: ClientVariant) =>
        this.values
          .get(id)
          ?.get(variant)
          ?.filter((value) => value >= 0);
      const [limit, ours] = [of('limits'), of('ours')];
      const ratio =
        limit && ours && summarize(ours.map((value, round) => value / (limit[round] ?? NaN))).median;
      const cells = this.variants.map((variant) => {
        const values = of(variant);
        return values?.length ? figure(summarize(values).median, unit) : '';
      });
      return [
        title,
        ...cells,
        ratio === undefined ? '' : ratio.toFixed(2),
        verdict(target, ours, ratio, unit),
      ];
    });
    return [head, ...rows];
  }
}

function verdict(
  target: Target | undefined,
  ours: readonly number[] | undefined,
  ratio: number | undefined,
  unit: Row['unit'],
): string {
  if (!target || !ours) return '';
  const [value, most] =
    target.ratio === undefined
      ? [summarize(ours).median / (unit === 'MB' ? 1e6 : 1), target.most ?? 0]
      : [ratio ?? NaN, target.ratio];
  const bound = target.ratio === undefined ? `≤ ${String(most)} ${unit}`.trim() : `≤ ${String(most)} times`;
  return `${bound} ${value <= most ? '✓' : '✗'}`;
}

function figure(value: number, unit: Row['unit']): string {
  const number = unit === 'MB' ? value / 1e6 : value;
  const text = number >= 100 || unit === '' ? number.toFixed(0) : number.toFixed(1);
  return `${text} ${unit}`.trim();
}
