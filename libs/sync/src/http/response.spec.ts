import { IncomingMessage, ServerResponse, type OutgoingHttpHeaders } from 'node:http';
import { Socket } from 'node:net';
import { once } from 'node:events';
import { gunzipSync } from 'node:zlib';
import { exposeHeaders, exposing, fullBody } from './response';

const OURS = 'X-Sync-LastSeq, X-Sync-Seq, X-Sync-Count, X-Sync-Cursor, X-Sync-Identity, Retry-After';

describe('the headers that pages of other origins may read', () => {
  it.each<[string, OutgoingHttpHeaders[string], boolean, string]>([
    ['nothing', undefined, false, OURS],
    ['an empty text', '', false, OURS],
    ['names', 'X-Total, ETag', false, `X-Total, ETag, ${OURS}`],
    ['a list', ['X-Total', 'ETag,Link'], true, `X-Total, ETag, Link, ${OURS}`],
    [
      'ours, written otherwise',
      'x-sync-cursor,RETRY-AFTER',
      false,
      'x-sync-cursor, RETRY-AFTER, X-Sync-LastSeq, X-Sync-Seq, X-Sync-Count, X-Sync-Identity',
    ],
    ['a star', '*', false, '*'],
    ['a star with credentials, where it stands for nothing', '*', true, `*, ${OURS}`],
  ])('are added to %s', (_what, said, credentials, all) => {
    expect(exposing(said, credentials)).toBe(all);
    expect(exposing(all, credentials)).toBe(all);
  });

  const answer = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()));
  it.each<[string, (response: ServerResponse) => void]>([
    ['before', (response) => response.setHeader('access-control-expose-headers', 'X-Total')],
    ['between', () => undefined],
  ])('are added to what was said %s, once', (when, before) => {
    const response = answer();
    before(response);
    exposeHeaders(response);
    if (when === 'between') response.setHeader('Access-Control-Expose-Headers', 'X-Total');
    exposeHeaders(response);
    response.writeHead(200, 'OK');
    expect(response.getHeader('access-control-expose-headers')).toBe(`X-Total, ${OURS}`);
  });

  it('are added to what comes with the status', () => {
    const response = answer();
    exposeHeaders(response);
    response.writeHead(503, { 'access-control-expose-headers': 'X-Total', 'content-type': 'text/plain' });
    expect(response.getHeader('access-control-expose-headers')).toBe(`X-Total, ${OURS}`);
    expect(response.getHeader('content-type')).toBe('text/plain');
  });
});

const CHUNK = '{"line":"é"}\n'.repeat(3000);
const BYTES = Buffer.from(CHUNK);

function chunks(
  count: number,
  fail = false,
): { lines: AsyncIterable<Buffer>; taken: () => number; ended: Promise<void> } {
  let taken = 0;
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  async function* generate(): AsyncGenerator<Buffer> {
    try {
      for (; taken < count; taken += 1) yield await Promise.resolve(BYTES);
      if (fail) throw new Error('the database is gone');
    } finally {
      end();
    }
  }
  return { lines: generate(), taken: () => taken, ended };
}

async function bytes(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

describe.each([
  ['gzip', true],
  ['plain', false],
])('the %s body', (_name, gzip) => {
  it('carries every line', async () => {
    const whole = await bytes(fullBody(chunks(5).lines, gzip));
    expect((gzip ? gunzipSync(whole) : whole).toString()).toBe(CHUNK.repeat(5));
  });

  it('may be empty', async () => {
    const whole = await bytes(fullBody(chunks(0).lines, gzip));
    expect((gzip ? gunzipSync(whole) : whole).length).toBe(0);
  });

  it('reads no further than its reader, and ends the lines when it is given up', async () => {
    const source = chunks(100_000);
    const body = fullBody(source.lines, gzip);
    await once(body, 'readable');
    body.read(100);
    body.destroy();
    await source.ended;
    expect(source.taken()).toBeLessThan(1000);
  });

  it('fails when the lines do, and never looks finished', async () => {
    await expect(bytes(fullBody(chunks(3, true).lines, gzip))).rejects.toThrow('gone');
  });
});
