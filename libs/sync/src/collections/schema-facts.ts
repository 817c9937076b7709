import { isPlain, setField, type StoredDocument } from '../codec/stored-document';
import type { Schema, SchemaType } from 'mongoose';
import { type FieldFacts } from '../plan/field-facts';

/** The parts of Mongoose's schema types that its own types leave out. */
interface AnyPath extends Pick<SchemaType, 'path'> {
  readonly options: {
    readonly immutable?: boolean | ((this: unknown, document: unknown) => unknown);
    readonly default?: unknown;
    readonly auto?: boolean;
    readonly select?: boolean | number;
    readonly lowercase?: boolean;
    readonly uppercase?: boolean;
    readonly trim?: boolean;
  };
  readonly schema?: Schema;
  readonly caster?: AnyPath | null;
  readonly embeddedSchemaType?: AnyPath | null;
  readonly setters?: readonly unknown[];
  readonly validators?: readonly { readonly type?: string }[];
}

/** A tree of facts while it is made. */
interface Draft {
  immutable?: (stored: StoredDocument) => boolean;
  isGenerated?: boolean;
  time?: 'created' | 'updated';
  isHidden?: boolean;
  isVersionKey?: boolean;
  children?: Map<string, Draft>;
}

/** The schema's timestamps under the names that it gives them; undefined where it keeps none. */
export interface TimestampPaths {
  readonly created?: string;
  readonly updated?: string;
}

/**
 * Reads what {@link FieldFacts} says of a schema's fields, those of its discriminators and subdocuments included.
 *
 * @param hidden dotted paths that never leave; undefined: those with `select: false`
 * @param hydrate makes the model's document of a stored one, for an `immutable` that is a function
 */
export function schemaFacts(
  schema: Schema,
  hidden: readonly string[] | undefined,
  hydrate: (stored: StoredDocument) => unknown,
): FieldFacts {
  const root: Draft = {};
  addSchema(root, schema, hidden === undefined, hydrate);
  for (const path of hidden ?? []) hide(root, path);
  const version = versionKeyOf(schema);
  if (version !== undefined) Object.assign(place(root, version), { isHidden: true, isVersionKey: true });
  return root;
}

/** Whether documents of the schema can have a field at a dotted path. */
export function hasPath(schema: Schema, path: string): boolean {
  if (schema.get('strict') === false || schema.pathType(path) !== 'adhocOrUndefined') return true;
  const steps = path.split('.');
  return steps.some((_, index) => schema.path(steps.slice(0, index).join('.'))?.instance === 'Mixed');
}

/** Facts of documents without a schema. */
export function hiddenFacts(hidden: readonly string[]): FieldFacts {
  const root: Draft = {};
  for (const path of hidden) hide(root, path);
  return root;
}

export function versionKeyOf(schema: Schema): string | undefined {
  const key = schema.get('versionKey') as unknown;
  return typeof key === 'string' && key !== '' ? key : undefined;
}

/** Mongoose's rule: `timestamps: true`, or an object that renames or leaves out each of the two. */
export function timestampPaths(schema: Schema): TimestampPaths {
  const given = schema.get('timestamps') as unknown;
  if (given !== true && (typeof given !== 'object' || given === null)) return {};
  const name = (which: 'createdAt' | 'updatedAt'): string | undefined => {
    const option = given === true ? undefined : (given as Record<string, unknown>)[which];
    if (option === undefined || option === true) return which;
    return typeof option === 'string' && option !== '' ? option : undefined;
  };
  return { created: name('createdAt'), updated: name('updatedAt') };
}

/** All schemas that stand inside a schema, itself included. */
export function schemasIn(schema: Schema, seen = new Set<Schema>()): Set<Schema> {
  if (seen.has(schema)) return seen;
  seen.add(schema);
  for (const type of paths(schema)) {
    const child = elementSchema(type);
    if (child) schemasIn(child, seen);
  }
  for (const one of discriminators(schema)) schemasIn(one, seen);
  return seen;
}

/** Whether the app's own functions judge documents: validators, or hooks around them. They may wait for something. */
export function asksApp(schema: Schema): boolean {
  return [...schemasIn(schema)].some(
    (one) =>
      hasValidateHooks(one) ||
      paths(one).some((type) => chain(type).some(({ validators }) => validators?.some(isOfApp) === true)),
  );
}

/** Whether a schema takes any document: it knows no field but `_id` and the version key. */
export function asksNothing(schema: Schema): boolean {
  const known = ['_id', versionKeyOf(schema)];
  return (
    schema.get('strict') === false &&
    !asksApp(schema) &&
    discriminators(schema).length === 0 &&
    paths(schema).every(({ path, validators = [] }) => known.includes(path) && validators.length === 0)
  );
}

/** Whether a schema has setters other than `trim`, `lowercase` and `uppercase`, which change nothing a second time. */
export function hasSetters(schema: Schema): boolean {
  return [...schemasIn(schema)].some((one) => {
    const { created, updated } = timestampPaths(one);
    return paths(one).some(
      (type) => type.path !== created && type.path !== updated && chain(type).some(setsByApp),
    );
  });
}

/** The value at a dotted path. */
export function valueAt(document: StoredDocument, path: string): unknown {
  let value: unknown = document;
  for (const key of path.split('.')) {
    if (!isPlain(value) || !Object.hasOwn(value, key)) return undefined;
    value = value[key];
  }
  return value;
}

/** A copy with another value at a dotted path; everything else is shared. */
export function withValueAt(document: StoredDocument, path: string, value: unknown): StoredDocument {
  const [key = '', ...rest] = path.split('.');
  const copy = { ...document };
  const inner = copy[key];
  setField(
    copy,
    key,
    rest.length === 0 ? value : withValueAt(isPlain(inner) ? inner : {}, rest.join('.'), value),
  );
  return copy;
}

function addSchema(
  target: Draft,
  schema: Schema,
  hidesUnselected: boolean,
  hydrate: (stored: StoredDocument) => unknown,
): void {
  for (const type of paths(schema)) {
    const { options, path } = type;
    const draft = place(target, path.replaceAll('$*', '*'));
    const { immutable } = options;
    if (immutable === true) draft.immutable = () => true;
    else if (typeof immutable === 'function')
      draft.immutable = (stored) => {
        const document = hydrate(stored);
        return Boolean(immutable.call(document, document));
      };
    if (typeof options.default === 'function' || options.auto === true) draft.isGenerated = true;
    if (hidesUnselected && isUnselected(options.select)) draft.isHidden = true;
    const child = elementSchema(type);
    // A tree that holds itself has no end; its facts end where it begins again.
    if (child && child !== schema) addSchema(draft, child, hidesUnselected, hydrate);
  }
  const { created, updated } = timestampPaths(schema);
  if (created !== undefined) setTime(place(target, created), 'created');
  if (updated !== undefined) setTime(place(target, updated), 'updated');
  for (const one of discriminators(schema)) addSchema(target, one, hidesUnselected, hydrate);
}

function setTime(draft: Draft, time: 'created' | 'updated'): void {
  draft.time = time;
  delete draft.immutable;
}

function hide(root: Draft, path: string): void {
  place(root, path.replaceAll('$*', '*')).isHidden = true;
}

function place(root: Draft, path: string): Draft {
  let draft = root;
  for (const key of path.split('.')) {
    draft.children ??= new Map();
    let child = draft.children.get(key);
    if (!child) draft.children.set(key, (child = {}));
    draft = child;
  }
  return draft;
}

function paths(schema: Schema): AnyPath[] {
  return Object.values(schema.paths);
}

/** A path's type, and what is inside of it: the elements of a list, of a list of lists. */
function chain(type: AnyPath): AnyPath[] {
  const inner = type.caster ?? type.embeddedSchemaType;
  return inner && inner !== type && typeof inner === 'object' ? [type, ...chain(inner)] : [type];
}

function elementSchema(type: AnyPath): Schema | undefined {
  return chain(type).find(({ schema }) => schema)?.schema;
}

function discriminators(schema: Schema): Schema[] {
  return Object.values((schema as { discriminators?: Record<string, Schema> }).discriminators ?? {});
}

function hasValidateHooks(schema: Schema): boolean {
  const { hooks } = (schema as unknown as { s: { hooks: { hasHooks(name: string): boolean } } }).s;
  return hooks.hasHooks('validate');
}

function isUnselected(select: unknown): boolean {
  return select === false || select === 0;
}

function isOfApp({ type }: { readonly type?: string }): boolean {
  return !BUILT_IN.has(type ?? '');
}

const BUILT_IN = new Set(['required', 'min', 'max', 'enum', 'regexp', 'minlength', 'maxlength']);

function setsByApp({ options, setters }: AnyPath): boolean {
  const known = [options.lowercase, options.uppercase, options.trim, options.immutable].filter(Boolean);
  return (setters?.length ?? 0) > known.length;
}
