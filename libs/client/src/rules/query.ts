import { isObject, type DocId } from 'nest-offline-sync-protocol';
import { sameJson } from './fields.ts';

/** What a field has to be. Dates are texts, and compare as such. */
export interface Range<V> {
  readonly gt?: V;
  readonly gte?: V;
  readonly lt?: V;
  readonly lte?: V;
  readonly in?: readonly V[];
}

export type Where<T> = { readonly [K in keyof T]?: T[K] | Range<T[K]> };

export type Order<T> = (keyof T & string) | readonly [field: keyof T & string, direction: 'asc' | 'desc'];

export interface Query<T> {
  /** All of these. A value, or bounds. */
  readonly where?: Where<T>;
  /** And this. It has to depend on nothing but the row. */
  readonly filter?: (row: Row<T>) => boolean;
  /** Default: by id. */
  readonly orderBy?: Order<T> | readonly Order<T>[];
  readonly limit?: number;
}

/** A document as queries see it. `_id` is never a field of its data: the server does not take it. */
export type Row<T> = T & { readonly _id: DocId };

export function matches<T extends object>({ where, filter }: Query<T>, row: Row<T>): boolean {
  for (const [field, wanted] of Object.entries(where ?? {}))
    if (wanted !== undefined && !meets((row as Record<string, unknown>)[field], wanted)) return false;
  return filter?.(row) ?? true;
}

const BOUNDS = new Set(['gt', 'gte', 'lt', 'lte', 'in']);

function meets(value: unknown, wanted: unknown): boolean {
  if (
    !isObject(wanted) ||
    !Object.keys(wanted).every((key) => BOUNDS.has(key)) ||
    Object.keys(wanted).length === 0
  )
    return sameJson(value as never, wanted as never) || (wanted === null && value === undefined);
  const { gt, gte, lt, lte, in: list } = wanted;
  if (list !== undefined && !(list as unknown[]).some((each) => sameJson(each as never, value as never)))
    return false;
  const isBound = (bound: unknown, holds: (side: number) => boolean): boolean =>
    bound === undefined || (typeof bound === typeof value && holds(compare(value, bound)));
  return (
    isBound(gt, (side) => side > 0) &&
    isBound(gte, (side) => side >= 0) &&
    isBound(lt, (side) => side < 0) &&
    isBound(lte, (side) => side <= 0)
  );
}

/** In the order of the query; ties by id, so that the order is always the same. */
export function sorted<T extends object>(
  { orderBy = [], limit }: Query<T>,
  rows: readonly Row<T>[],
): Row<T>[] {
  const orders = (
    typeof orderBy === 'string' || isSingle(orderBy) ? [orderBy] : orderBy
  ) as readonly Order<T>[];
  const all = [...rows].sort((a, b) => {
    for (const order of orders) {
      const [field, direction] = typeof order === 'string' ? [order, 'asc'] : order;
      const side = compare(a[field as keyof T], b[field as keyof T]);
      if (side !== 0) return direction === 'desc' ? -side : side;
    }
    return compare(a._id, b._id);
  });
  return limit === undefined ? all : all.slice(0, limit);
}

function isSingle(orderBy: object): boolean {
  return Array.isArray(orderBy) && orderBy.length === 2 && (orderBy[1] === 'asc' || orderBy[1] === 'desc');
}

const RANKS = ['undefined', 'object', 'boolean', 'number', 'string'];

/** Missing and null first, then by type, then by value. */
export function compare(a: unknown, b: unknown): number {
  if (typeof a !== typeof b) return RANKS.indexOf(typeof a) - RANKS.indexOf(typeof b);
  if (typeof a === 'object' || a === b) return 0;
  return (a as string) < (b as string) ? -1 : 1;
}
