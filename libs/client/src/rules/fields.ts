import { isObject, type Json, type JsonObject, type PatchBody } from 'nest-offline-sync-protocol';

/** A document with a patch laid on it, or why that cannot be. */
export type Patched =
  | { readonly ok: true; readonly data: JsonObject }
  | { readonly ok: false; readonly path: string; readonly problem: string };

type Draft = Record<string, Json>;
type Turn = (value: Json | undefined) => Json | undefined | { readonly refuse: string };

/** Lays a patch on a document as the server does: docs/protocol.md, Patch. Nothing given is changed. */
export function patched(data: JsonObject, patch: PatchBody): Patched {
  const copy: Draft = { ...data };
  for (const [path, turn] of turns(patch)) {
    const problem = at(copy, path.split('.'), turn);
    if (problem !== undefined) return { ok: false, path, problem };
  }
  return { ok: true, data: copy };
}

function* turns({ set, unset, inc, add, remove }: PatchBody): Generator<readonly [path: string, turn: Turn]> {
  for (const [path, value] of Object.entries(set)) yield [path, () => value];
  for (const path of unset) yield [path, () => undefined];
  for (const [path, by] of Object.entries(inc)) yield [path, (value = 0) => sum(value, by)];
  for (const [path, values] of Object.entries(add))
    yield [
      path,
      (list = []) => {
        if (!Array.isArray(list)) return { refuse: 'is no list' };
        const all = [...(list as readonly Json[])];
        for (const value of values) if (!all.some((each) => sameJson(each, value))) all.push(value);
        return all;
      },
    ];
  for (const [path, values] of Object.entries(remove))
    yield [
      path,
      (list) => {
        if (list === undefined) return undefined;
        if (!Array.isArray(list)) return { refuse: 'is no list' };
        return (list as readonly Json[]).filter((each) => !values.some((value) => sameJson(each, value)));
      },
    ];
}

function sum(value: Json, by: number): Json | { readonly refuse: string } {
  if (typeof value !== 'number') return { refuse: 'is no number' };
  const total = value + by;
  return Math.abs(total) <= Number.MAX_SAFE_INTEGER ? total : { refuse: 'would be beyond ±(2^53 - 1)' };
}

/** Gives the problem, if there is one. Objects on the way are copied, and made where there is none. */
function at(draft: Draft, steps: readonly string[], turn: Turn): string | undefined {
  const [step = '', ...rest] = steps;
  const value = Object.hasOwn(draft, step) ? draft[step] : undefined;
  if (rest.length > 0) {
    if (value !== undefined && !isObject(value)) return 'leads through something that is no object';
    const inner: Draft = { ...value };
    const problem = at(inner, rest, turn);
    // Nothing is made on the way to what is only taken away.
    if (problem === undefined && (value !== undefined || Object.keys(inner).length > 0)) draft[step] = inner;
    return problem;
  }
  const next = turn(value);
  if (isRefusal(next)) return next.refuse;
  if (next === undefined) Reflect.deleteProperty(draft, step);
  else draft[step] = next;
  return undefined;
}

function isRefusal(value: ReturnType<Turn>): value is { readonly refuse: string } {
  return (
    isObject(value) &&
    Object.keys(value).length === 1 &&
    'refuse' in value &&
    typeof value['refuse'] === 'string'
  );
}

/** Every path that a patch names. */
export function pathsOf({ set, unset, inc, add, remove }: PatchBody): string[] {
  return [...Object.keys(set), ...unset, ...Object.keys(inc), ...Object.keys(add), ...Object.keys(remove)];
}

/** Whether a patch changes anything that is different between two documents, or sits inside of it or around it. */
export function touches(patch: PatchBody, one: JsonObject, other: JsonObject): boolean {
  return pathsOf(patch).some((path) => {
    const steps = path.split('.');
    return !sameJson(valueAt(one, steps), valueAt(other, steps));
  });
}

export function valueAt(data: JsonObject, steps: readonly string[]): Json | undefined {
  let value: Json | undefined = data;
  for (const step of steps) {
    if (!isObject(value) || !Object.hasOwn(value, step)) return isObject(value) ? undefined : value;
    value = value[step];
  }
  return value;
}

/** Whether two values are the same JSON. The order of fields means nothing. */
export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((each, index) => sameJson(each as Json, b[index] as Json))
    );
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a).filter((key) => a[key] !== undefined);
  const others = Object.keys(b).filter((key) => b[key] !== undefined);
  return (
    keys.length === others.length &&
    keys.every((key) => Object.hasOwn(b, key) && sameJson(a[key] as Json, b[key] as Json))
  );
}

/** A patch that does nothing yet. */
export const EMPTY_PATCH: PatchBody = { set: {}, unset: [], inc: {}, add: {}, remove: {} };

/**
 * Two patches in one, the second on top of the first; undefined where they have to stay two: what adds takes effect whatever
 * others do, what sets may be refused, and the one must not take the other with it.
 */
export function joined(first: PatchBody, second: PatchBody): PatchBody | undefined {
  if (adds(first) !== adds(second) || sets(first) !== sets(second) || (adds(first) && sets(first)))
    return undefined;
  if (adds(first)) return joinedAdds(first, second);
  const inSecond = pathsOf(second);
  const set: Record<string, Json> = {};
  for (const [path, value] of Object.entries(first.set)) {
    // The objects that were made on the way to it stay when it is taken away.
    if (second.unset.some((other) => other.includes('.') && covers(other, path))) return undefined;
    if (inSecond.some((other) => covers(other, path))) continue;
    // A field inside of an object that the first one set belongs into that object.
    if (inSecond.some((other) => covers(path, other))) return undefined;
    set[path] = value;
  }
  if (first.unset.some((path) => inSecond.some((other) => other !== path && covers(path, other))))
    return undefined;
  const unset = first.unset.filter((path) => !inSecond.some((other) => covers(other, path)));
  return {
    ...EMPTY_PATCH,
    set: { ...set, ...second.set },
    unset: [...unset, ...second.unset].sort(),
  };
}

function joinedAdds(first: PatchBody, second: PatchBody): PatchBody | undefined {
  const lists = [first, second].some(
    (each) => Object.keys(each.add).length + Object.keys(each.remove).length > 0,
  );
  if (lists) return undefined;
  const inc: Record<string, number> = { ...first.inc };
  for (const [path, by] of Object.entries(second.inc)) {
    const known = Object.keys(first.inc);
    if (known.some((other) => other !== path && (covers(other, path) || covers(path, other))))
      return undefined;
    const total = (inc[path] ?? 0) + by;
    if (Math.abs(total) > Number.MAX_SAFE_INTEGER) return undefined;
    inc[path] = total;
  }
  return { ...EMPTY_PATCH, inc };
}

/** Whether a patch has a part that takes effect whatever others do. */
export const adds = ({ inc, add, remove }: PatchBody): boolean =>
  [inc, add, remove].some((part) => Object.keys(part).length > 0);
const sets = ({ set, unset }: PatchBody): boolean => Object.keys(set).length > 0 || unset.length > 0;

/** Whether `outer` is `inner`, or a field around it. */
function covers(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(`${outer}.`);
}
