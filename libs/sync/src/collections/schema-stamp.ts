import { type StoredDocument, isPlain } from '../codec/stored-document';
import type { Schema } from 'mongoose';
import { timestampPaths, valueAt, versionKeyOf, withValueAt } from './schema-facts';

/** What the server keeps in a document on every edit: Mongoose's timestamps and version key, as `save()` has them. */
export class SchemaStamp {
  private readonly children: readonly {
    readonly path: string;
    readonly schema: Schema;
    readonly stamp: SchemaStamp;
  }[];
  private readonly times: ReturnType<typeof timestampPaths>;
  private readonly versionKey: string | undefined;

  /** @param now what Mongoose takes for the time where the schema has no `currentTime` */
  constructor(
    private readonly schema: Schema,
    private readonly now: () => unknown,
    above: readonly Schema[] = [],
  ) {
    this.times = timestampPaths(schema);
    this.versionKey = versionKeyOf(schema);
    this.children = childSchemas(schema)
      // A schema that holds itself has timestamps on its first level.
      .filter((child) => ![schema, ...above].includes(child.schema))
      .map((child) => ({ ...child, stamp: new SchemaStamp(child.schema, now, [schema, ...above]) }));
  }

  /** A copy with the timestamps of a write, and the version key above the current one. */
  stamp(document: StoredDocument, current: StoredDocument | undefined): StoredDocument {
    const { created, updated } = this.times;
    let stamped = document;
    const now = created === undefined && updated === undefined ? undefined : this.time();
    if (created !== undefined) {
      const value = (current && valueAt(current, created)) ?? valueAt(document, created) ?? now;
      stamped = withValueAt(stamped, created, this.cast(created, value));
    }
    if (updated !== undefined) stamped = withValueAt(stamped, updated, this.cast(updated, now));
    if (this.versionKey === undefined) return stamped;
    return { ...stamped, [this.versionKey]: current ? above(current[this.versionKey]) : 0 };
  }

  /** Sets the timestamps of subdocuments, as in a new document. Changes it in place. */
  stampChildren(document: unknown): void {
    for (const { path, stamp } of this.children)
      for (const part of partsAt(document, path.split('.'))) {
        const { created, updated } = stamp.times;
        if (created !== undefined && part[created] === undefined)
          part[created] = stamp.cast(created, stamp.time());
        if (updated !== undefined) part[updated] = stamp.cast(updated, stamp.time());
        stamp.stampChildren(part);
      }
  }

  private time(): unknown {
    const timestamps = this.schema.get('timestamps') as { currentTime?: () => unknown } | true;
    return timestamps !== true && typeof timestamps.currentTime === 'function'
      ? timestamps.currentTime()
      : this.now();
  }

  /** The schema may keep a time as a number. */
  private cast(path: string, value: unknown): unknown {
    const type = this.schema.path(path) as { cast?: (value: unknown) => unknown } | undefined;
    return type?.cast ? type.cast(value) : value;
  }
}

function above(version: unknown): number {
  return typeof version === 'number' ? version + 1 : 1;
}

function childSchemas(schema: Schema): { path: string; schema: Schema }[] {
  const { childSchemas: found } = schema as unknown as {
    childSchemas: readonly { schema: Schema; model: { path?: string } }[];
  };
  return found.flatMap(({ schema: child, model }) =>
    model.path ? [{ path: model.path, schema: child }] : [],
  );
}

/** The objects at a path, through arrays and maps. */
function partsAt(value: unknown, path: readonly string[]): Record<string, unknown>[] {
  if (Array.isArray(value)) return value.flatMap((item) => partsAt(item, path));
  if (!isPlain(value)) return [];
  const [key, ...rest] = path;
  if (key === undefined) return [value];
  if (key === '$*') return Object.values(value).flatMap((inner) => partsAt(inner, rest));
  return partsAt(value[key], rest);
}
