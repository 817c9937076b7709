import { boundsOf, compare, ordersOf, type Query } from './query.ts';

/** A stretch of an index: entries that begin with these values, and whose next one is within these. */
export interface Span {
  readonly values: readonly unknown[];
  readonly from?: unknown;
  readonly to?: unknown;
  readonly hasFrom: boolean;
  readonly hasTo: boolean;
}

/** How an index serves a query. Its spans hold all rows of the query, and maybe others: each has to be checked. */
export interface IndexPlan {
  readonly fields: readonly string[];
  /** Apart from each other, and rising. */
  readonly spans: readonly Span[];
  /** The index gives the rows in the order of the query, from its beginning or from its end. */
  readonly order: 'up' | 'down' | undefined;
}

/** The index that serves a query best; undefined: looking through the collection does it as well. */
export function planOf<T>(query: Query<T>, indexes: readonly (readonly string[])[]): IndexPlan | undefined {
  let best: IndexPlan | undefined;
  let most = 0;
  for (const fields of indexes) {
    const [plan, worth] = planWith(query, fields);
    if (worth > most) [best, most] = [plan, worth];
  }
  return best;
}

function planWith<T>(query: Query<T>, fields: readonly string[]): [IndexPlan, worth: number] {
  const where = (query.where ?? {}) as Readonly<Record<string, unknown>>;
  const values: unknown[] = [];
  while (values.length < fields.length && isPoint(where[fields[values.length] ?? '']))
    values.push(where[fields[values.length] ?? '']);
  const rest = fields.slice(values.length);
  const next = where[rest[0] ?? ''];
  const spans = next === undefined ? [spanOf(values)] : spansFor(values, next);
  const orders = ordersOf(query).filter(([field]) => !isPoint(where[field]));
  const isOrdered =
    spans.length < 2 &&
    orders.length === rest.length &&
    orders.every(([field, isDown], at) => field === rest[at] && isDown === orders[0]?.[1]);
  const order = isOrdered ? (orders[0]?.[1] ? 'down' : 'up') : undefined;
  const isShort = isOrdered && query.limit !== undefined;
  const worth = values.length * 4 + (next === undefined ? 0 : 2) + (isShort ? 3 : 0);
  return [{ fields, spans, order }, worth];
}

/** One value that equals nothing else: not null, which finds what is missing too, and not an object. */
function isPoint(wanted: unknown): boolean {
  return wanted !== undefined && typeof wanted !== 'object';
}

function spansFor(values: readonly unknown[], wanted: unknown): Span[] {
  const bounds = boundsOf(wanted);
  // What is missing comes before null in the order.
  if (!bounds) return [spanOf(values, wanted === null ? {} : { from: wanted }, { to: wanted })];
  const { gt, gte = gt, lt, lte = lt, in: list } = bounds;
  if (!list)
    return [spanOf(values, gte === undefined ? {} : { from: gte }, lte === undefined ? {} : { to: lte })];
  const rising = [...list].sort(compare);
  const apart = rising.filter((each, at) => at === 0 || compare(each, rising[at - 1]) !== 0);
  return apart.map((each) => spanOf(values, { from: each }, { to: each }));
}

function spanOf(
  values: readonly unknown[],
  from: { readonly from?: unknown } = {},
  to: { readonly to?: unknown } = {},
): Span {
  return { values, ...from, ...to, hasFrom: 'from' in from, hasTo: 'to' in to };
}
