import { once } from 'node:events';
import { gunzipSync } from 'node:zlib';
import { fullBody } from './full-body';

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
