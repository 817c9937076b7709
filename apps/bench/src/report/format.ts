import type { Bound, Unit } from '../model';
import type { Summary } from '../stats/summary';
import { BEYOND } from '../stats/verdict';

/** A figure with its unit, short enough for a table. */
export function formatFigure(value: number, unit: Unit): string {
  switch (unit) {
    case 'per second':
      return `${grouped(value)}/s`;
    case 'ms':
      return `${digits(value)} ms`;
    case 's':
      return `${value.toFixed(2)} s`;
    case 'bytes':
      return `${(value / 1000).toFixed(1)} kB`;
    case 'MB':
      return `${value.toFixed(1)} MB`;
    case 'percent':
      return `${value.toFixed(1)} %`;
    case 'times':
      return `${value.toFixed(2)}x`;
    case 'count':
      return grouped(value);
  }
}

/** A ratio with its spread. */
export function formatRatio({ median, min, max }: Summary): string {
  const spread = min === max ? '' : ` (${digits(min)}-${digits(max)})`;
  return `${digits(median)}${spread}`;
}

export function formatBound(bound: Bound, unit?: Unit): string {
  const number = (value: number): string => (unit === undefined ? String(value) : formatFigure(value, unit));
  return 'least' in bound ? `≥ ${number(bound.least)}` : `≤ ${number(bound.most)}`;
}

function digits(value: number): string {
  if (value >= BEYOND) return '∞';
  return value >= 100 ? grouped(value) : value.toFixed(value >= 10 ? 1 : 2);
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
