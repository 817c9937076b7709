import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { constants, createGzip, gzip } from 'node:zlib';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { isObject } from 'nest-offline-sync-protocol';

/** Node's own response inside the framework's: Express hands that one out itself, Fastify keeps it in `raw`. */
export function rawResponse(response: unknown): ServerResponse {
  return isWrapped(response) ? response.raw : (response as ServerResponse);
}

function isWrapped(response: unknown): response is { readonly raw: ServerResponse } {
  return (response as { readonly raw?: unknown }).raw !== undefined;
}

/** Cuts the connection, so that a body that failed half-way never looks finished. */
export function destroyResponse(response: unknown): void {
  rawResponse(response).destroy();
}

/**
 * Sends a whole JSON body. Express' own `send` would hash it for an ETag that nobody asks for (`no-store`), and turn it
 * into bytes once more; so here it goes to Node's response at once. Fastify is fast by itself and has hooks to run.
 */
/** @param more further headers */
export function sendJson(
  adapter: AbstractHttpAdapter,
  response: unknown,
  body: Buffer,
  more: Readonly<Record<string, string>> = {},
): void {
  const headers = {
    ...more,
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(body.length),
    'Cache-Control': 'no-store',
  };
  if (isWrapped(response)) {
    for (const [name, value] of Object.entries(headers)) adapter.setHeader(response, name, value);
    adapter.reply(response, body, 200);
    return;
  }
  const raw = rawResponse(response);
  raw.statusCode = 200;
  for (const [name, value] of Object.entries(headers)) raw.setHeader(name, value);
  raw.end(body);
}

/** Below it a body fits into one or two packets: zipping it would only cost time. */
const ZIPPED_FROM_BYTES = 2 << 10;
const zip = promisify(gzip);

/** The body as gzip, where that pays. Level 1, in a thread of its own: what is copied so far is only read there. */
export async function zipped(body: Buffer): Promise<Buffer | undefined> {
  return body.length < ZIPPED_FROM_BYTES ? undefined : zip(body, { level: 1 });
}

const HEADER = 'Access-Control-Expose-Headers';
/** What clients read and no browser shows to a page of another origin by itself. */
const EXPOSED = [
  'X-Sync-LastSeq',
  'X-Sync-Seq',
  'X-Sync-Count',
  'X-Sync-Cursor',
  'X-Sync-Identity',
  'Retry-After',
];

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

/** What zlib gives at a time: its default costs four turns of the event loop for a chunk of lines. */
const ZIPPED_PIECE_BYTES = 64 << 10;

/**
 * The body of a full resync as a byte stream. Its reader's pace is the database's pace, and destroying it ends `lines`,
 * and with them the cursor in the database.
 */
export function fullBody(lines: AsyncIterable<Uint8Array>, gzip: boolean): Readable {
  const source = Readable.from(lines, { objectMode: false });
  if (!gzip) return source;
  // Level 1: the database is waited for, not the wire. Each chunk is flushed, so that rows go out as they come.
  const zip = createGzip({ level: 1, flush: constants.Z_SYNC_FLUSH, chunkSize: ZIPPED_PIECE_BYTES });
  // Not source.pipe(zip): that leaves the source, and so the cursor, open when the client goes away.
  pipeline(source, zip, () => {
    // An error of the source destroys `zip` with it: the reader of `zip` is told.
  });
  return zip;
}
