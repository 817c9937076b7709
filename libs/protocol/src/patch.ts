import type { ErrorCode } from './errors.ts';
import { isObject, type Json } from './json.ts';
import { utf8Length } from './text.ts';

/** By path: a field's name, or the names on the way to a field of nested objects with dots between them. */
export type ByPath<T> = Readonly<Record<string, T>>;

/** What a patch does to a document, its shape checked. No field stands in two of the five parts. */
export interface PatchBody {
  /** Fields to set. An object replaces the one that stands there; a dotted path sets a single field inside of it. */
  readonly set: ByPath<Json>;
  /** Fields to remove. In order, each once. */
  readonly unset: readonly string[];
  /** Numbers to add. A field that is missing counts as 0. */
  readonly inc: ByPath<number>;
  /** Values that a list is to hold, each once. A list that is missing counts as an empty one. */
  readonly add: ByPath<readonly Json[]>;
  /** Values that a list is not to hold. */
  readonly remove: ByPath<readonly Json[]>;
}

export type ParsedPatch =
  | { readonly ok: true; readonly patch: PatchBody }
  | {
      readonly ok: false;
      readonly code: ErrorCode;
      /** Where in the change: `.inc["a.b"]`. */
      readonly field: string;
      readonly problem: string;
    };

/** Of all parts together. */
export const MAX_PATCH_PATHS = 1_000;
/** Of `add` and `remove` together. */
export const MAX_PATCH_VALUES = 1_000;
export const MAX_PATH_BYTES = 1_024;

interface Problem {
  readonly code: ErrorCode;
  readonly field: string;
  readonly problem: string;
}

/** Which steps lead to a field that a part names; a leaf is such a field. */
type Steps = Map<string, Steps | undefined>;

/** Reads the parts of a patch from a change: `data`, `unset`, `inc`, `add` and `remove`. */
export function parsePatch(raw: Record<string, unknown>, hasMutation: boolean): ParsedPatch {
  const problem = shapeProblem(raw);
  if (problem) return { ok: false, ...problem };
  const patch: PatchBody = {
    set: (raw['data'] ?? {}) as PatchBody['set'],
    unset: [...((raw['unset'] ?? []) as string[])].sort(),
    inc: (raw['inc'] ?? {}) as PatchBody['inc'],
    add: (raw['add'] ?? {}) as PatchBody['add'],
    remove: (raw['remove'] ?? {}) as PatchBody['remove'],
  };
  const wrong = contentProblem(patch, hasMutation);
  return wrong ? { ok: false, ...wrong } : { ok: true, patch };
}

/** Whether a patch has parts that take effect whatever others do meanwhile. */
export function commutes({ inc, add, remove }: PatchBody): boolean {
  return [inc, add, remove].some((part) => Object.keys(part).length > 0);
}

function shapeProblem(raw: Record<string, unknown>): Problem | undefined {
  for (const part of ['data', 'inc', 'add', 'remove'] as const) {
    const given = raw[part];
    if (given !== undefined && given !== null && !isObject(given))
      return invalid(`.${part}`, 'must be an object of paths in a patch');
  }
  const { unset } = raw;
  if (unset !== undefined && unset !== null && !(Array.isArray(unset) && unset.every(isText)))
    return invalid('.unset', 'must be an array of paths');
  return undefined;
}

function contentProblem(patch: PatchBody, hasMutation: boolean): Problem | undefined {
  const named = [...pathsIn(patch)];
  if (named.length === 0)
    return invalid('', 'is a patch that does nothing: give data, unset, inc, add or remove');
  if (named.length > MAX_PATCH_PATHS)
    return invalid(
      '',
      `is a patch of more than ${MAX_PATCH_PATHS} fields: send an upsert, or several patches`,
    );
  return (
    pathProblem(named) ??
    numberProblem(patch.inc) ??
    listProblem(patch) ??
    (commutes(patch) && !hasMutation
      ? {
          code: 'mutation_id_required',
          field: '.mutation_id',
          problem: 'is needed with inc, add or remove: without it a retry would take effect again',
        }
      : undefined)
  );
}

/** Each path that a patch names, and where in the change it does. */
function* pathsIn(patch: PatchBody): Generator<{ readonly path: string; readonly field: string }> {
  for (const [part, name] of [
    ['set', 'data'],
    ['inc', 'inc'],
    ['add', 'add'],
    ['remove', 'remove'],
  ] as const)
    for (const path of Object.keys(patch[part])) yield { path, field: place(name, path) };
  for (const path of patch.unset) yield { path, field: place('unset', path) };
}

function pathProblem(
  named: readonly { readonly path: string; readonly field: string }[],
): Problem | undefined {
  const root: Steps = new Map();
  for (const { path, field } of named) {
    const steps = path.split('.');
    if (path.length > MAX_PATH_BYTES || (utf8Length(path) ?? 0) > MAX_PATH_BYTES)
      return invalid(field, `is a path of more than ${MAX_PATH_BYTES} bytes`);
    if (steps.includes('')) return invalid(field, 'is a path with an empty step');
    if (steps.some((step) => /^\d+$/.test(step)))
      return invalid(
        field,
        'is a path through a list, or to a number as a name: set the list or object itself',
      );
    if (!claim(root, steps))
      return invalid(field, 'is named twice, or together with a field inside of it: name each field once');
  }
  return undefined;
}

/** Notes a path; false when it, one above or one below is taken already. */
function claim(root: Steps, steps: readonly string[]): boolean {
  let at = root;
  for (const [index, step] of steps.entries()) {
    const isLast = index === steps.length - 1;
    if (!at.has(step)) {
      const inner: Steps = new Map();
      at.set(step, isLast ? undefined : inner);
      at = inner;
      continue;
    }
    const inner = at.get(step);
    if (isLast || !inner) return false;
    at = inner;
  }
  return true;
}

function numberProblem(inc: PatchBody['inc']): Problem | undefined {
  for (const path of Object.keys(inc)) {
    const by: unknown = inc[path];
    if (typeof by !== 'number') return invalid(place('inc', path), 'must be a number');
    // Also what JSON made of 1e400.
    if (!(Math.abs(by) <= Number.MAX_SAFE_INTEGER))
      return { code: 'unsafe_number', field: place('inc', path), problem: 'is beyond ±(2^53 - 1)' };
  }
  return undefined;
}

function listProblem({ add, remove }: PatchBody): Problem | undefined {
  let values = 0;
  for (const [name, part] of [
    ['add', add],
    ['remove', remove],
  ] as const)
    for (const path of Object.keys(part)) {
      const given: unknown = part[path];
      if (!Array.isArray(given)) return invalid(place(name, path), 'must be an array of values');
      values += given.length;
      if (values > MAX_PATCH_VALUES)
        return invalid(
          place(name, path),
          `makes more than ${MAX_PATCH_VALUES} values in add and remove: send several patches`,
        );
    }
  return undefined;
}

function invalid(field: string, problem: string): Problem {
  return { code: 'invalid_patch', field, problem };
}

/** Long paths are cut, so that a message is never longer than what it is about. */
function place(part: string, path: string): string {
  return `.${part}[${JSON.stringify(path.length > 60 ? `${path.slice(0, 60)}…` : path)}]`;
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}
