import { connect } from 'node:net';
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';

/** One answer as it came over TCP. */
export interface RawAnswer {
  readonly status: number;
  /** Status line and headers, without `Date`: the only part of an answer that may differ between two servers. */
  readonly head: string;
  /** Without chunks and compression. */
  readonly body: Buffer;
}

/** What came back on one connection. */
export interface RawExchange {
  readonly answers: readonly RawAnswer[];
  /** Every byte, untouched. */
  readonly bytes: Buffer;
  /** `end`: closed by the server in order; `reset`; `silent`: nothing more within the limit. */
  readonly close: 'end' | 'reset' | 'silent';
}

const SILENT_MS = 5_000;

/** Writes bytes to a server as they are and reads until it closes: no client library corrects the request. */
export function exchange(port: number, request: Buffer): Promise<RawExchange> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1');
    const done = (close: RawExchange['close']): void => {
      socket.destroy();
      const bytes = Buffer.concat(chunks);
      resolve({ answers: parseAnswers(bytes), bytes, close });
    };
    socket.setTimeout(SILENT_MS, () => done('silent'));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('end', () => done('end'));
    socket.on('error', () => done('reset'));
    socket.write(request);
  });
}

/** Answers one after another on a connection. What is no HTTP becomes an answer with status 0. */
export function parseAnswers(bytes: Buffer): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const border = rest.indexOf('\r\n\r\n');
    const match = /^HTTP\/1\.1 (\d{3})/.exec(rest.subarray(0, 16).toString('latin1'));
    if (border < 0 || !match) return [...answers, { status: 0, head: '', body: rest }];
    const lines = rest.subarray(0, border).toString('latin1').split('\r\n');
    const header = (name: string): string =>
      lines
        .find((line) => line.toLowerCase().startsWith(`${name}:`))
        ?.slice(name.length + 1)
        .trim() ?? '';
    const after = rest.subarray(border + 4);
    const status = Number(match[1]);
    const length =
      status < 200 ? 0 : header('content-length') === '' ? after.length : Number(header('content-length'));
    const { body, used } = header('transfer-encoding') === 'chunked' ? dechunk(after) : plain(after, length);
    answers.push({
      status,
      head: lines.filter((line) => !/^date:/i.test(line)).join('\n'),
      body: decoded(body, header('content-encoding')),
    });
    rest = after.subarray(used);
  }
  return answers;
}

/** An answer to HEAD has a length and no body: what is there counts. Without a length it goes on to the end. */
function plain(after: Buffer, length: number): { body: Buffer; used: number } {
  const body = after.subarray(0, length);
  return { body, used: body.length };
}

function dechunk(after: Buffer): { body: Buffer; used: number } {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const line = after.indexOf('\r\n', at);
    const size = line < 0 ? NaN : parseInt(after.subarray(at, line).toString('latin1'), 16);
    // Cut off in mid-body: what came still counts.
    if (Number.isNaN(size)) return { body: Buffer.concat(parts), used: after.length };
    at = line + 2;
    if (size === 0) return { body: Buffer.concat(parts), used: Math.min(after.length, at + 2) };
    parts.push(after.subarray(at, at + size));
    at += size + 2;
  }
}

function decoded(body: Buffer, encoding: string): Buffer {
  if (body.length === 0) return body;
  try {
    if (encoding === 'gzip') return gunzipSync(body);
    if (encoding === 'deflate') return inflateSync(body);
    if (encoding === 'br') return brotliDecompressSync(body);
  } catch {
    // A body that broke off: its bytes are looked at as they are.
  }
  return body;
}
