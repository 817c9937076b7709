import {
  dataPath,
  isObject,
  type Json,
  type JsonObject,
  type PatchBody,
  type Rejection,
} from 'nest-offline-sync-protocol';
import { encodeValue } from '../codec/wire-codec';
import { isPlain, setField, type StoredDocument } from '../codec/stored-document';
import { isDeepStrictEqual } from 'node:util';
import { agrees } from './composition';
import { factsOf, NO_FACTS, type FieldFacts } from './field-facts';
import { increment } from './increment';
import { withMembers, withoutMembers, type Member } from './list-members';

/** A document that a patch meets: as it is stored, and as clients see it. */
export interface PatchedSides {
  readonly stored: StoredDocument;
  readonly wire: JsonObject;
}

/** The patched document in its wire form, and which of its own fields are others than before; or why not. */
export type Patched =
  | { readonly ok: true; readonly wire: JsonObject; readonly touched: ReadonlySet<string> }
  | { readonly ok: false; readonly rejection: Rejection };

/** What a schema makes of a document in its wire form. */
export type CastWire = (wire: JsonObject) => StoredDocument | undefined;

/**
 * Applies a patch to a document, and leaves everything that it does not name alone. Pure.
 *
 * Algebra: additions of numbers commute, and so do additions to lists and removals of other values, up to the order of the
 * lists' elements; a patch of one field and a patch of another one commute.
 *
 * @param cast what the schema makes of values, so that a list holds none twice in two spellings
 */
export function applyPatch(
  patch: PatchBody,
  sides: PatchedSides,
  facts: FieldFacts = NO_FACTS,
  cast?: CastWire,
): Patched {
  try {
    return { ok: true, ...new Draft(patch, sides, facts, cast).apply() };
  } catch (error) {
    if (error instanceof Mismatch) return { ok: false, rejection: error.rejection };
    throw error;
  }
}

/** The paths that a patch sets or unsets, but for times, which the server keeps anyway: only they can conflict. */
export function setPaths({ set, unset }: PatchBody, facts: FieldFacts = NO_FACTS): string[] {
  return [...Object.keys(set), ...unset].filter((path) => !isTime(facts, path));
}

/**
 * The fields that a patch sets and that another side has changed since the base, to another value than the patch does.
 *
 * @param base the document as the patch's sender knew it; undefined: not known, so each may be one
 */
export function conflictingPaths(
  patch: PatchBody,
  base: JsonObject | undefined,
  current: JsonObject,
  facts: FieldFacts = NO_FACTS,
): Set<string> {
  const paths = setPaths(patch, facts);
  if (!base) return new Set(paths);
  return new Set(
    paths.filter((path) => {
      const [before, now] = [valueAt(base, path), valueAt(current, path)];
      if (isDeepStrictEqual(before, now)) return false;
      return !Object.hasOwn(patch.set, path)
        ? now !== undefined
        : !agrees(factsAt(facts, path), patch.set[path], undefined, now);
    }),
  );
}

/** The patch without some of the fields that it sets; undefined when nothing of it is left. */
export function withoutPaths(patch: PatchBody, paths: ReadonlySet<string>): PatchBody | undefined {
  const set = Object.fromEntries(Object.entries(patch.set).filter(([path]) => !paths.has(path)));
  const unset = patch.unset.filter((path) => !paths.has(path));
  const rest = { ...patch, set, unset };
  return namedPaths(rest).length > 0 ? rest : undefined;
}

/** The parts of a patch that can conflict, and those that never do. */
export function settingPart(patch: PatchBody): PatchBody {
  return { ...patch, inc: {}, add: {}, remove: {} };
}
export function commutingPart(patch: PatchBody): PatchBody {
  return { ...patch, set: {}, unset: [] };
}

/**
 * The document as the patch's sender knows it from now on: where nobody else had changed a field, or the patch has set it,
 * what the server has made of it; else what the sender takes it for.
 *
 * @param known the document as the sender knew it
 * @param before the document that the patch met; undefined: not known
 * @param made what the patch has left
 * @param lost fields that it did not get to set
 * @returns undefined where nobody can tell
 */
export function knownAfter(
  patch: PatchBody,
  known: PatchedSides,
  before: JsonObject | undefined,
  made: JsonObject,
  lost: ReadonlySet<string>,
): JsonObject | undefined {
  const sender = applyPatch(patch, known);
  if (!sender.ok) return undefined;
  const sets = new Set([...Object.keys(patch.set), ...patch.unset]);
  const result: Record<string, Json> = { ...known.wire };
  for (const path of namedPaths(patch)) {
    const isSame = before && isDeepStrictEqual(valueAt(known.wire, path), valueAt(before, path));
    const asMade = lost.has(path) ? false : sets.has(path) || isSame;
    put(result, path.split('.'), valueAt(asMade ? made : sender.wire, path));
  }
  return result;
}

/** The value at a path; undefined where there is none. */
export function valueAt(wire: JsonObject | undefined, path: string): Json | undefined {
  let value: Json | undefined = wire;
  for (const step of path.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, step)) return undefined;
    value = value[step];
  }
  return value;
}

function namedPaths({ set, unset, inc, add, remove }: PatchBody): string[] {
  return [...[set, inc, add, remove].flatMap((part) => Object.keys(part)), ...unset];
}

function factsAt(facts: FieldFacts, path: string): FieldFacts {
  return path.split('.').reduce(factsOf, facts);
}

function isTime(facts: FieldFacts, path: string): boolean {
  return factsAt(facts, path).time !== undefined;
}

/** A copy of objects on the way alone: shared parts are never written to. */
function put(
  target: Record<string, Json>,
  [step = '', ...rest]: readonly string[],
  value: Json | undefined,
): void {
  if (rest.length === 0) {
    if (value === undefined) Reflect.deleteProperty(target, step);
    else setField(target, step, value);
    return;
  }
  const inner = Object.hasOwn(target, step) ? target[step] : undefined;
  if (value === undefined && !isObject(inner)) return;
  const copy: Record<string, Json> = isObject(inner) ? { ...inner } : {};
  put(copy, rest, value);
  setField(target, step, copy);
}

/** Ends the work on a patch that the document does not fit. */
class Mismatch extends Error {
  constructor(readonly rejection: Rejection) {
    super();
  }
}

/** An object on the way to a field: the draft's own copy, and what is stored there. */
interface Place {
  readonly fields: Record<string, Json>;
  readonly stored: unknown;
}

class Draft {
  private readonly root: Record<string, Json>;
  private readonly touched = new Set<string>();
  /** Objects that are no part of the document that was given. */
  private readonly own = new WeakSet();

  constructor(
    private readonly patch: PatchBody,
    private readonly sides: PatchedSides,
    private readonly facts: FieldFacts,
    private readonly cast: CastWire | undefined,
  ) {
    this.root = { ...sides.wire };
  }

  apply(): { readonly wire: JsonObject; readonly touched: ReadonlySet<string> } {
    const { set, unset, inc, add, remove } = this.patch;
    for (const path of Object.keys(set)) this.change(path, true, () => set[path]);
    for (const path of unset) this.change(path, false, () => undefined);
    for (const path of Object.keys(inc)) {
      this.change(path, true, (wire, stored) => {
        const sum = increment(stored, wire, inc[path] ?? 0);
        if (!sum.ok) throw mismatch(path, sum.problem, sum.code);
        return sum.value;
      });
    }
    const members = this.members();
    for (const [part, make] of [
      [add, withMembers],
      [remove, withoutMembers],
    ] as const)
      for (const path of Object.keys(part)) {
        if (part[path]?.length === 0) continue;
        const adds = part === add;
        this.change(path, adds, (wire) => {
          if (wire === undefined && !adds) return undefined;
          const list = wire === undefined ? [] : listAt(path, wire);
          return make(factsAt(this.facts, path), list, members.get(path) ?? []) ?? wire;
        });
      }
    return { wire: this.root, touched: this.touched };
  }

  /** @param creates objects that are missing on the way are made */
  private change(
    path: string,
    creates: boolean,
    make: (wire: Json | undefined, stored: unknown) => Json | undefined,
  ): void {
    const steps = path.split('.');
    const last = steps.at(-1) ?? '';
    const place = this.placeOf(path, steps.slice(0, -1), creates);
    if (!place) return;
    const { fields, stored } = place;
    const before = Object.hasOwn(fields, last) ? fields[last] : undefined;
    const after = make(before, storedField(stored, last));
    if (after === before) return;
    if (after === undefined) Reflect.deleteProperty(fields, last);
    else setField(fields, last, after);
    this.touched.add(steps[0] ?? '');
  }

  private placeOf(path: string, steps: readonly string[], creates: boolean): Place | undefined {
    let fields = this.root;
    let stored: unknown = this.sides.stored;
    for (const step of steps) {
      const inner = Object.hasOwn(fields, step) ? fields[step] : undefined;
      stored = storedField(stored, step);
      if (Array.isArray(inner))
        throw mismatch(path, 'leads through a list: set the list, or use add and remove');
      const isFields = isObject(inner) && (stored === undefined || isPlain(stored));
      if (!isFields && inner !== undefined && creates)
        throw mismatch(path, 'leads through a value that is no object: set the value above it');
      if (!isFields && !creates) return undefined;
      let copy = inner as Record<string, Json> | undefined;
      if (!copy || !this.own.has(copy)) {
        copy = { ...(copy ?? {}) };
        this.own.add(copy);
        setField(fields, step, copy);
      }
      fields = copy;
    }
    return { fields, stored };
  }

  /** The values of `add` and `remove` by their paths, as the schema casts them. */
  private members(): Map<string, Member[]> {
    const { add, remove } = this.patch;
    const probe: Record<string, Json> = {};
    const lists = [...Object.entries(add), ...Object.entries(remove)];
    if (this.cast) for (const [path, values] of lists) put(probe, path.split('.'), values);
    const cast = lists.length > 0 ? this.cast?.(probe) : undefined;
    return new Map(
      lists.map(([path, values]) => {
        const made = cast && path.split('.').reduce<unknown>(storedField, cast);
        const isSame = Array.isArray(made) && made.length === values.length;
        return [
          path,
          values.map((sent, index) => ({ sent, cast: isSame ? encodeValue(made[index]) : sent })),
        ];
      }),
    );
  }
}

function listAt(path: string, wire: Json): readonly Json[] {
  if (Array.isArray(wire)) return wire as readonly Json[];
  throw mismatch(path, 'is no list: add and remove work on lists');
}

function storedField(stored: unknown, key: string): unknown {
  return isPlain(stored) && Object.hasOwn(stored, key) ? stored[key] : undefined;
}

function mismatch(
  path: string,
  problem: string,
  code: 'patch_mismatch' | 'unsafe_number' = 'patch_mismatch',
): Mismatch {
  return new Mismatch({ code, message: `${dataPath(path.split('.'))} ${problem}.` });
}
