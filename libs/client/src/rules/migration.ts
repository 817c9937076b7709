import { isObject, type Json, type JsonObject, type PatchBody } from 'nest-offline-sync-protocol';
import { EMPTY_PATCH, patched, sameJson, valueAt } from './fields.ts';
import type { Change, Mutation, RefusedChange } from './mutation.ts';

/** What makes a document of an older version of the app one of this version. */
export type Step = (document: JsonObject) => JsonObject;

/** The documents of a collection, as this version of the app has them. */
export interface Shape {
  readonly version: number;
  /** By the version that each leads to, rising. */
  readonly steps: readonly (readonly [to: number, step: Step])[];
}

/** By collection. */
export type Shapes = ReadonlyMap<string, Shape>;

/**
 * A document after the steps that lead above a version. The server does not say which version of an app wrote a document, so a step is
 * given documents of its own version too.
 *
 * @throws what a step throws, and an Error if it gives something else than an object
 */
export function raised(data: JsonObject, { steps }: Pick<Shape, 'steps'>, above = 0): JsonObject {
  let now = data;
  for (const [to, step] of steps) {
    if (to <= above) continue;
    const next: unknown = step({ ...now });
    if (!isPlain(next)) throw new Error(`The step to version ${to} gave no object.`);
    now = next as JsonObject;
  }
  return now;
}

function isPlain(value: unknown): boolean {
  if (!isObject(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/**
 * An edit as this version of the app would have made it. What was sent stays as it was sent.
 *
 * @param server what the server has when the edit comes to it, as far as that is known
 */
export function raisedMutation(mutation: Mutation, raise: Step, server: JsonObject | null): Mutation {
  const { change, wire, before, after } = mutation;
  const made = raisedChange(change, before, raise);
  const isSame = (said: Change): boolean =>
    sameJson(raisedOrNull(told(server, said), raise), told(raisedOrNull(server, raise), made));
  // A count begins at 0 where the server's document has it under its old name.
  const keepsWords = !isSame(made) && isSame(wire ?? change);
  return {
    ...mutation,
    change: made,
    wire: keepsWords ? (wire ?? change) : undefined,
    before: before && raise(before),
    after: after && raise(after),
  };
}

/** What a change makes of the server's document. */
export function told(data: JsonObject | null, change: Change): JsonObject | null {
  if (change.operation !== 'patch') return change.operation === 'upsert' ? change.data : null;
  const made = patched(data ?? {}, change.patch);
  return made.ok ? made.data : data;
}

/**
 * A patch for a document that the server has in an older shape. What counts or is put into a list would begin with nothing there, so such
 * a field is set to what the user sees.
 */
export function carried(change: Change, server: JsonObject | null, before: JsonObject | null): Change {
  if (change.operation !== 'patch' || !before) return change;
  const { set, unset, ...adding } = change.patch;
  const has = (data: JsonObject | null, path: string): boolean =>
    data !== null && valueAt(data, path.split('.')) !== undefined;
  const made = patched(before, change.patch);
  const sets: Record<string, Json> = { ...set };
  const rest = Object.entries(adding).map(([kind, part]) => {
    const kept = Object.entries(part as object).filter(([path]) => {
      const isMissing = has(before, path) && !has(server, path);
      const value = made.ok && isMissing ? valueAt(made.data, path.split('.')) : undefined;
      if (value === undefined) return true;
      sets[path] = value;
      return false;
    });
    return [kind, Object.fromEntries(kept)];
  });
  return { ...change, patch: { set: sets, unset, ...(Object.fromEntries(rest) as typeof adding) } };
}

function raisedOrNull(data: JsonObject | null, raise: Step): JsonObject | null {
  return data && raise(data);
}

export function raisedRefused(refused: RefusedChange, raise: Step): RefusedChange {
  const { change, base, mine, theirs } = refused;
  return {
    ...refused,
    change: raisedChange(change, base, raise),
    mine: mine && raise(mine),
    base: base && raise(base),
    ...(theirs ? { theirs: raise(theirs) } : {}),
  };
}

function raisedChange(change: Change, before: JsonObject | null, raise: Step): Change {
  if (change.operation === 'upsert') return { ...change, data: raise(change.data) };
  return change.operation === 'delete'
    ? change
    : { ...change, patch: raisedPatch(change.patch, before ?? {}, raise) };
}

/**
 * The patch that does to the raised document what the given one did to the document. Each of its parts stays as it is where that is so
 * already; else it becomes the difference that it makes: what sets sets, what counts counts.
 *
 * @throws Error for a part that cannot be said of a raised document
 */
function raisedPatch(patch: PatchBody, before: JsonObject, raise: Step): PatchBody {
  let [old, now] = [before, raise(before)];
  let all = EMPTY_PATCH;
  for (const part of partsOf(patch)) {
    const next = laid(old, part);
    const wanted = raise(next);
    const kept = patched(now, part);
    all = both(
      all,
      kept.ok && sameJson(kept.data, wanted) ? part : translated(part, old, now, wanted, raise),
    );
    [old, now] = [next, wanted];
  }
  return all;
}

function translated(
  part: PatchBody,
  old: JsonObject,
  now: JsonObject,
  wanted: JsonObject,
  raise: Step,
): PatchBody {
  const [path = ''] = Object.keys(part.set);
  const isCount = Object.keys(part.inc).length > 0;
  const isList = Object.keys(part.add).length + Object.keys(part.remove).length > 0;
  let differences = [...differing(now, wanted)];
  // Set to what it was: the difference to a document without it.
  if (differences.length === 0 && path !== '')
    differences = [...differing(raise(laid(old, { ...EMPTY_PATCH, unset: [path] })), wanted)];
  if (differences.length === 0) throw new Error('A step has no place for a field that was edited.');
  return differences
    .map(([at, from, to]) => {
      if (isCount && typeof (from ?? 0) === 'number' && typeof to === 'number')
        return { ...EMPTY_PATCH, inc: { [at]: to - ((from ?? 0) as number) } };
      if (isList && Array.isArray(from ?? []) && Array.isArray(to)) {
        const [had, has] = [(from ?? []) as readonly Json[], to as readonly Json[]];
        const without = (list: readonly Json[], other: readonly Json[]): Json[] =>
          list.filter((each) => !other.some((one) => sameJson(one, each)));
        const [add, remove] = [without(has, had), without(had, has)];
        return {
          ...EMPTY_PATCH,
          add: add.length > 0 ? { [at]: add } : {},
          remove: remove.length > 0 ? { [at]: remove } : {},
        };
      }
      if (isCount || isList) throw new Error(`A step makes a count or a list into something else (${at}).`);
      return to === undefined ? { ...EMPTY_PATCH, unset: [at] } : { ...EMPTY_PATCH, set: { [at]: to } };
    })
    .reduce(both);
}

/** Patches of one path each. */
function* partsOf({ set, unset, ...adding }: PatchBody): Generator<PatchBody> {
  for (const [path, value] of Object.entries(set)) yield { ...EMPTY_PATCH, set: { [path]: value } };
  for (const path of unset) yield { ...EMPTY_PATCH, unset: [path] };
  for (const [kind, part] of Object.entries(adding))
    for (const [path, value] of Object.entries(part as object))
      yield { ...EMPTY_PATCH, [kind]: { [path]: value as unknown } };
}

function both(one: PatchBody, other: PatchBody): PatchBody {
  return {
    set: { ...one.set, ...other.set },
    unset: [...one.unset, ...other.unset].sort(),
    inc: { ...one.inc, ...other.inc },
    add: { ...one.add, ...other.add },
    remove: { ...one.remove, ...other.remove },
  };
}

function laid(data: JsonObject, patch: PatchBody): JsonObject {
  const made = patched(data, patch);
  if (!made.ok) throw new Error(`The field ${made.path} ${made.problem}.`);
  return made.data;
}

function* differing(
  a: JsonObject,
  b: JsonObject,
  around = '',
): Generator<readonly [path: string, from: Json | undefined, to: Json | undefined]> {
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const [from, to] = [a[key], b[key]];
    if (sameJson(from, to)) continue;
    const inner = from === undefined ? {} : from;
    // A field inside of an object that is new: only that, so that it goes together with what others put in.
    if (isObject(inner) && isObject(to) && Object.keys(to).length > 0)
      yield* differing(inner, to, `${around}${key}.`);
    else yield [around + key, from, to];
  }
}

/** Without a step, or where it fails, a document passes as it is: one that cannot be read must not hide all others. */
export function shapeOf(shapes: Shapes, collection: string, data: JsonObject): JsonObject {
  const shape = shapes.get(collection);
  if (!shape) return data;
  try {
    return raised(data, shape);
  } catch {
    return data;
  }
}
