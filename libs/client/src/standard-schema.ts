import { isObject, type JsonObject } from 'nest-offline-sync-protocol';
import { InvalidEditError, type SchemaIssue } from './errors.ts';
import { jsonObject } from './fields-of.ts';

/** As much of https://standardschema.dev as is used here. Schemas of Zod, Valibot, ArkType and others are such. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };

type Types<S> = S extends StandardSchema ? NonNullable<S['~standard']['types']> : never;
export type InputOf<S> = Types<S>['input'] & object;
export type OutputOf<S> = Types<S>['output'] & object;

/** What a schema makes of a document, as JSON; or what it says against it. */
export type Judged = { readonly value: JsonObject } | { readonly issues: readonly SchemaIssue[] };

/** @throws InvalidEditError `schema_failed` for a schema that throws, or answers with anything but what it has to: that is never a yes */
export async function judge(schema: StandardSchema, collection: string, data: object): Promise<Judged> {
  let result: unknown;
  try {
    result = await schema['~standard'].validate(data);
  } catch (error) {
    throw failed(collection, 'threw an error', error);
  }
  if (isObject(result)) {
    const { issues, value } = result;
    if (Array.isArray(issues) && issues.every(isIssue)) return { issues };
    if (issues === undefined && isObject(value)) return { value: jsonObject(value) };
  }
  throw failed(collection, 'gave neither a document nor issues');
}

function isIssue(issue: unknown): issue is SchemaIssue {
  if (!isObject(issue) || typeof issue['message'] !== 'string') return false;
  const { path = [] } = issue;
  return Array.isArray(path) && !path.includes(null);
}

function failed(collection: string, what: string, cause?: unknown): InvalidEditError {
  return new InvalidEditError(
    'schema_failed',
    `The schema of ${collection} ${what}, so nothing was changed. Correct the schema.`,
    [],
    cause,
  );
}

/** A path as the names of fields. */
export function pathOf({ path = [] }: SchemaIssue): readonly string[] {
  return path.map((each) => String(typeof each === 'object' ? each.key : each));
}
