import { isPlain } from '../codec/stored-document';
import type { Schema } from 'mongoose';

/** What of a client's data Mongoose may be given, and what it would take for something else. */
export interface Fit {
  /** The data without the names that the schema has as virtuals or aliases. */
  readonly data: object;
  /** The dotted paths that were left out: setting them would run the app's setters for other fields. */
  readonly virtual: ReadonlySet<string>;
  /** Fields that documents without a strict schema hold under the name of a virtual: Mongoose's own `id`. */
  readonly aside: Readonly<Record<string, unknown>>;
  /** Elements of a list of subdocuments that are no objects: Mongoose stores an empty one as it is. */
  readonly strays: readonly string[];
}

interface Found {
  readonly virtual: string[];
  readonly strays: string[];
}

/** Goes through data and schema together, before Mongoose does. */
export function fit(schema: Schema, data: object): Fit {
  const found: Found = { virtual: [], strays: [] };
  const rest = fitValue(schema, data, '', '', found) as object;
  const aside: Record<string, unknown> = {};
  if (schema.get('strict') === false && found.virtual.includes('id'))
    aside['id'] = (data as { id: unknown }).id;
  return { data: rest, virtual: new Set(found.virtual), aside, strays: found.strays };
}

/**
 * @param prefix of the path inside this schema
 * @param above of the path of the schema inside the document
 */
function fitValue(schema: Schema, value: unknown, prefix: string, above: string, found: Found): unknown {
  if (!isPlain(value)) return value;
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(value)) {
    const path = prefix + key;
    const kind = schema.pathType(path);
    let inner: unknown = value[key];
    if (kind === 'virtual') {
      found.virtual.push(above + path);
      copy ??= { ...value };
      Reflect.deleteProperty(copy, key);
      continue;
    }
    if (kind === 'nested') inner = fitValue(schema, inner, `${path}.`, above, found);
    else if (kind === 'real') {
      const child = (schema.path(path) as { schema?: Schema }).schema;
      if (child) inner = fitParts(child, inner, above + path, found);
    }
    if (inner !== value[key]) (copy ??= { ...value })[key] = inner;
  }
  return copy ?? value;
}

function fitParts(schema: Schema, value: unknown, at: string, found: Found): unknown {
  if (!Array.isArray(value)) return fitValue(schema, value, '', `${at}.`, found);
  const items = value.map((item: unknown, index) => {
    const path = `${at}.${index}`;
    if (item !== null && typeof item !== 'object') found.strays.push(path);
    return fitParts(schema, item, path, found);
  });
  return items.some((item, index) => item !== value[index]) ? items : value;
}
