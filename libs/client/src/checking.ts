import { isObject, type DocId, type Json, type JsonObject } from 'nest-offline-sync-protocol';
import { InvalidEditError, type SchemaIssue } from './errors.ts';
import { patched, pathsOf, valueAt } from './rules/fields.ts';
import type { Change } from './rules/mutation.ts';
import { judge, pathOf, type StandardSchema } from './standard-schema.ts';

/** What is known of the documents of a collection. */
export interface Knowledge {
  readonly schema?: StandardSchema | undefined;
  /** The fields that this version of the app knows. */
  readonly fields?: readonly string[] | undefined;
}

/**
 * An edit as it is stored, after the schema has judged the document that it leaves. What the schema does not know is never taken away.
 *
 * @param seen what the user sees before it
 * @param keeps whether an upsert leaves fields alone that this version of the app does not know
 * @throws InvalidEditError with the issues
 */
export async function checked(
  { schema, fields }: Knowledge,
  collection: string,
  id: DocId,
  seen: JsonObject | null,
  change: Change,
  keeps: boolean,
): Promise<Change> {
  if (change.operation === 'delete') return change;
  if (change.operation === 'patch') return schema ? patchBy(schema, collection, id, seen, change) : change;
  const { data } = change;
  let made = data;
  if (schema) {
    const judged = await judge(schema, collection, data);
    if ('issues' in judged) throw refused(collection, id, judged.issues);
    made = withForeign(data, judged.value, judged.value);
  }
  if (!seen || !keeps) return { ...change, data: made };
  return { ...change, data: withForeign(seen, made, await known(schema, fields, collection, seen, made)) };
}

async function patchBy(
  schema: StandardSchema,
  collection: string,
  id: DocId,
  seen: JsonObject | null,
  change: Change & { readonly operation: 'patch' },
): Promise<Change> {
  const { patch } = change;
  const made = patched(seen ?? {}, patch);
  // What cannot be laid on the document is refused with a better word.
  if (!made.ok) return change;
  const judged = await judge(schema, collection, made.data);
  if ('issues' in judged) {
    const before = await judge(schema, collection, seen ?? {});
    const old = new Set('issues' in before ? before.issues.map(nameOf) : []);
    const touched = new Set(pathsOf(patch).map((path) => path.split('.')[0]));
    // A document that somebody else left wrong elsewhere can still be edited.
    const issues = judged.issues.filter((each) => !old.has(nameOf(each)) || touched.has(pathOf(each)[0]));
    if (issues.length > 0 || judged.issues.length === 0) throw refused(collection, id, issues);
    return change;
  }
  const whole = withForeign(made.data, judged.value, judged.value);
  const set = Object.entries(patch.set).map(([path, value]): [string, Json] => [
    path,
    valueAt(whole, path.split('.')) ?? value,
  ]);
  return { ...change, patch: { ...patch, set: Object.fromEntries(set) } };
}

/** The fields of a document that the app knows: those that it names, or those that its schema leaves in. */
async function known(
  schema: StandardSchema | undefined,
  fields: readonly string[] | undefined,
  collection: string,
  seen: JsonObject,
  made: JsonObject,
): Promise<JsonObject> {
  const both = merged(seen, made);
  if (fields) return Object.fromEntries(Object.entries(both).filter(([name]) => fields.includes(name)));
  if (!schema) return both;
  const judged = await judge(schema, collection, both);
  if ('value' in judged) return judged.value;
  // A field with a value that is wrong is one that the schema knows.
  const wrong = judged.issues.flatMap((each) => pathOf(each).slice(0, 1));
  return { ...made, ...Object.fromEntries(wrong.map((name) => [name, null])) };
}

/** `made`, with what there is in `seen` besides what is known. */
function withForeign(seen: JsonObject, made: JsonObject, knows: JsonObject): JsonObject {
  const all: Record<string, Json> = { ...made };
  for (const [name, value] of Object.entries(seen)) {
    const [inner, has] = [all[name], knows[name]];
    if (inner === undefined && has === undefined) all[name] = value;
    else if (isObject(value) && isObject(inner) && isObject(has)) all[name] = withForeign(value, inner, has);
  }
  return all;
}

function merged(seen: JsonObject, made: JsonObject): JsonObject {
  const all: Record<string, Json> = { ...seen };
  for (const [name, value] of Object.entries(made)) {
    const inner = all[name];
    all[name] = isObject(inner) && isObject(value) ? merged(inner, value) : value;
  }
  return all;
}

function nameOf(issue: SchemaIssue): string {
  return JSON.stringify([issue.message, pathOf(issue)]);
}

function refused(collection: string, id: DocId, issues: readonly SchemaIssue[]): InvalidEditError {
  const places = issues.map((each) => pathOf(each).join('.') || 'the document').join(', ');
  return new InvalidEditError(
    'invalid_data',
    `${collection} ${JSON.stringify(id)} does not fit its schema (${places}). Correct what \`issues\` names.`,
    issues,
  );
}
