import { BEYOND } from '../stats/verdict';
import type { ReportRow } from './json';

const SCHEMA = 'https://vega.github.io/schema/vega-lite/v6.json';
const WIDTH = 420;
const STEP = 22;
const OURS = '#2563eb';
const TARGET = '#dc2626';
const BASE = {
  $schema: SCHEMA,
  background: 'white',
  config: { axis: { labelLimit: 340, titleFontWeight: 'normal' }, font: 'sans-serif' },
} as const;

/** A specification for Vega-Lite. Its own type would need the package, which only drawing needs. */
export type PlotSpec = Readonly<Record<string, unknown>>;

/** The plots of docs/performance.md by the names of their files. */
export function plotSpecs(rows: readonly ReportRow[]): Record<string, PlotSpec> {
  return {
    'throughput-limit': ratioSpec(
      ratios(rows, false),
      'rate, as a ratio to the limit in the same round',
      false,
    ),
    'throughput-original': ratioSpec(ratios(rows, true), 'rate, as a ratio to the original', true),
    latency: latencySpec(latencies(rows)),
    growth: growthSpec(growths(rows)),
  };
}

interface Ratio {
  readonly row: string;
  readonly ratio: number;
  readonly min: number;
  readonly max: number;
  readonly target: number;
}

/** Rates with a lower bound. */
function ratios(rows: readonly ReportRow[], original: boolean): Ratio[] {
  return rows.flatMap(({ title, verdicts }) =>
    verdicts.flatMap(({ figure, against, bound, value }): Ratio[] => {
      if (figure !== 'rate' || !against || against.includes('original') !== original) return [];
      if (!value || !('least' in bound) || value.max >= BEYOND) return [];
      return [{ row: title, ratio: value.median, min: value.min, max: value.max, target: bound.least }];
    }),
  );
}

function ratioSpec(values: readonly Ratio[], title: string, log: boolean): PlotSpec {
  const y = { field: 'row', type: 'nominal', sort: null, title: null } as const;
  const scale = log ? ({ type: 'log', domainMin: 1 } as const) : ({ zero: true } as const);
  const x = { field: 'ratio', type: 'quantitative', title, scale } as const;
  return {
    ...BASE,
    width: WIDTH,
    height: { step: STEP },
    data: { values: [...values] },
    layer: [
      log
        ? { mark: { type: 'point', filled: true, size: 70, color: OURS }, encoding: { y, x } }
        : { mark: { type: 'bar', color: OURS, height: 12 }, encoding: { y, x } },
      {
        mark: { type: 'rule', color: '#1e293b' },
        encoding: { y, x: { ...x, field: 'min' }, x2: { field: 'max' } },
      },
      {
        mark: { type: 'tick', color: TARGET, thickness: 2, size: 18 },
        encoding: { y, x: { ...x, field: 'target' } },
      },
    ],
  };
}

interface Latency {
  readonly row: string;
  readonly variant: string;
  readonly percentile: string;
  readonly ms: number;
}

function latencies(rows: readonly ReportRow[]): Latency[] {
  return rows
    .filter(({ figures }) => figures.some(({ name }) => name === 'p99'))
    .flatMap(({ title, summary }) =>
      Object.entries(summary).flatMap(([variant, figures]) =>
        ['p50', 'p99'].flatMap((percentile): Latency[] => {
          const ms = figures[percentile]?.median;
          return ms === undefined || !(ms > 0) ? [] : [{ row: title, variant, percentile, ms }];
        }),
      ),
    );
}

function latencySpec(values: readonly Latency[]): PlotSpec {
  return {
    ...BASE,
    width: WIDTH,
    height: { step: STEP },
    data: { values: [...values] },
    mark: { type: 'point', filled: true, size: 60, opacity: 0.85 },
    encoding: {
      y: { field: 'row', type: 'nominal', sort: null, title: null },
      x: { field: 'ms', type: 'quantitative', scale: { type: 'log' }, title: 'ms (logarithmic)' },
      color: { field: 'variant', type: 'nominal', title: null, sort: null },
      shape: { field: 'percentile', type: 'nominal', title: null },
    },
  };
}

interface Growth {
  readonly size: string;
  readonly request: string;
  readonly ms: number;
}

const SIZES = {
  small: '1 scope, 10,000 entries',
  entries: '1 scope, 1,000,000 entries',
  scopes: '10,000 scopes, 1,000,000 entries',
} as const;

function growths(rows: readonly ReportRow[]): Growth[] {
  const figures = rows.find(({ id }) => id === 'growth')?.summary['ours-1'] ?? {};
  return Object.entries(SIZES).flatMap(([name, size]) =>
    ['Push', 'Pull'].flatMap((request): Growth[] => {
      const ms = figures[`${name}${request}`]?.median;
      return ms === undefined
        ? []
        : [{ size, request: request === 'Push' ? 'push x1' : 'pull, a page of 100', ms }];
    }),
  );
}

function growthSpec(values: readonly Growth[]): PlotSpec {
  return {
    ...BASE,
    width: WIDTH,
    height: { step: STEP },
    data: { values: [...values] },
    mark: { type: 'bar' },
    encoding: {
      y: { field: 'request', type: 'nominal', title: null },
      yOffset: { field: 'size', sort: null },
      x: { field: 'ms', type: 'quantitative', title: 'p50 in ms' },
      color: { field: 'size', type: 'nominal', title: null, sort: null },
    },
  };
}
