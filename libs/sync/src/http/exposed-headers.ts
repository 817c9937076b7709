import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { isObject } from '../protocol/json';
import { rawResponse } from './connection';

const HEADER = 'Access-Control-Expose-Headers';
/** What clients read and no browser shows to a page of another origin by itself. */
const EXPOSED = ['X-Sync-LastSeq', 'X-Sync-Cursor', 'Retry-After'];

/**
 * Lets pages of other origins read the headers of this answer. Whether it goes to one is not looked at: the CORS headers
 * may be the app's or a proxy's, and without them this one says nothing. It is added in the last moment, to whatever
 * the app's own CORS has said by then.
 */
export function exposeHeaders(response: unknown): void {
  const raw = rawResponse(response);
  const write = raw.writeHead.bind(raw) as (...values: unknown[]) => ServerResponse;
  raw.writeHead = (...values: unknown[]): ServerResponse => {
    const given = values.at(-1);
    const late = isObject(given) ? take(given as OutgoingHttpHeaders) : undefined;
    const said = late?.said ?? raw.getHeader(HEADER);
    raw.setHeader(HEADER, exposing(said, allowsCredentials(raw, given)));
    return write(...(late ? [...values.slice(0, -1), late.rest] : values));
  };
}

/** The names that are exposed already, and ours. */
export function exposing(said: OutgoingHttpHeaders[string], credentials: boolean): string {
  const names = [said ?? []]
    .flat()
    .flatMap((text) => String(text).split(','))
    .map((name) => name.trim())
    .filter((name) => name !== '');
  // A star stands for all of them, unless the answer may be read with credentials.
  if (names.includes('*') && !credentials) return names.join(', ');
  const known = new Set(names.map((name) => name.toLowerCase()));
  return [...names, ...EXPOSED.filter((name) => !known.has(name.toLowerCase()))].join(', ');
}

function allowsCredentials(raw: ServerResponse, given: unknown): boolean {
  const name = 'access-control-allow-credentials';
  return [raw.getHeader(name), isObject(given) ? find(given, name)?.[1] : undefined].some(
    (value) => String(value) === 'true',
  );
}

/** Fastify hands its headers over with the status. */
function take(given: OutgoingHttpHeaders): { said: OutgoingHttpHeaders[string]; rest: OutgoingHttpHeaders } {
  const [name, said] = find(given, HEADER) ?? [];
  const rest = Object.fromEntries(Object.entries(given).filter(([other]) => other !== name));
  return { said: said as OutgoingHttpHeaders[string], rest };
}

function find(headers: Readonly<Record<string, unknown>>, name: string): [string, unknown] | undefined {
  return Object.entries(headers).find(([other]) => other.toLowerCase() === name.toLowerCase());
}
