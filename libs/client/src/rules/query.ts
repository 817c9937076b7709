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

/** A field that is missing is found by null. */
export type Where<T> = { readonly [K in keyof Row<T>]?: Row<T>[K] | null | Range<NonNullable<Row<T>[K]>> };

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

/** What a condition asks for: bounds, or a value. */
export function boundsOf(wanted: unknown): Range<unknown> | undefined {
  const isBounds =
    isObject(wanted) && Object.keys(wanted).length > 0 && Object.keys(wanted).every((key) => BOUNDS.has(key));
  return isBounds ? wanted : undefined;
}

const BOUNDS = new Set(['gt', 'gte', 'lt', 'lte', 'in']);

function meets(value: unknown, wanted: unknown): boolean {
  const bounds = boundsOf(wanted);
  if (!bounds) return sameJson(value as never, wanted as never) || (wanted === null && value === undefined);
  const { gt, gte, lt, lte, in: list } = bounds;
  if (list !== undefined && !list.some((each) => sameJson(each as never, value as never))) return false;
  const isBound = (bound: unknown, holds: (side: number) => boolean): boolean =>
    bound === undefined || (typeof bound === typeof value && holds(compare(value, bound)));
  return (
    isBound(gt, (side) => side > 0) &&
    isBound(gte, (side) => side >= 0) &&
    isBound(lt, (side) => side < 0) &&
    isBound(lte, (side) => side <= 0)
  );
}

/** The fields that a query orders by, and whether each goes down. */
export function ordersOf<T>({ orderBy = [] }: Query<T>): (readonly [field: string, isDown: boolean])[] {
  const orders = (
    typeof orderBy === 'string' || isSingle(orderBy) ? [orderBy] : orderBy
  ) as readonly Order<T>[];
  return orders.map((each) => (typeof each === 'string' ? [each, false] : [each[0], each[1] === 'desc']));
}

function isSingle(orderBy: object): boolean {
  return Array.isArray(orderBy) && orderBy.length === 2 && (orderBy[1] === 'asc' || orderBy[1] === 'desc');
}

/** The order of a query; ties by id, so that it is always the same. */
export function orderOf<T extends object>(query: Query<T>): (a: Row<T>, b: Row<T>) => number {
  const orders = ordersOf(query);
  return (a, b) => {
    for (const [field, isDown] of orders) {
      const side = compare(a[field as keyof T], b[field as keyof T]);
      if (side !== 0) return isDown ? -side : side;
    }
    return compare(a._id, b._id);
  };
}

const RANKS = ['undefined', 'object', 'boolean', 'number', 'string'];

/** Missing and null first, then by type, then by value. */
export function compare(a: unknown, b: unknown): number {
  if (typeof a !== typeof b) return RANKS.indexOf(typeof a) - RANKS.indexOf(typeof b);
  if (typeof a === 'object' || a === b) return 0;
  return (a as string) < (b as string) ? -1 : 1;
}
