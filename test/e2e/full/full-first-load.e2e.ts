import { get } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { testDatabase } from '../../support/database';
import { remove, startHttpApp, upsert, type Device, type HttpApp } from '../../support/http-app';

const database = testDatabase(__filename);
let app: HttpApp;
let device: Device;
const collections = [{ name: 'notes', freeForm: true, ids: 'scoped' } as const];

beforeAll(async () => {
  app = await startHttpApp(database.uri, { options: { collections } });
  device = app.as('b1');
  const ids = Array.from({ length: 40 }, (_, n) => `n${String(n)}`);
  const made = await device.push(ids.map((id) => upsert('notes', id, { text: 'x'.repeat(100) })));
  await device.push(
    [1, 2].map((n) => remove('notes', ids[n], { parent_version: made[n]?.new_version ?? null })),
  );
  await app.as('b2').push([upsert('notes', 'other', {})]);
});
afterAll(() => app.close());

interface Line {
  readonly end?: true;
  readonly doc_id?: string;
  readonly deleted?: boolean;
}
const linesOf = (text: string): Line[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)
    .filter(({ end }) => end === undefined);

describe('the first load of a device', () => {
  it('has tombstones unless it says otherwise, on every page', async () => {
    expect(linesOf((await device.send('/sync/full')).text).filter(({ deleted }) => deleted)).toHaveLength(2);
    const lines: Line[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const page = await device.send(`/sync/full?tombstones=false&limit=7&cursor=${cursor}`);
      lines.push(...linesOf(page.text));
      cursor = page.headers.get('x-sync-cursor');
    }
    expect(new Set(lines.map(({ doc_id }) => doc_id)).size).toBe(38);
    expect(lines).toHaveLength(38);
    expect(lines.filter(({ deleted }) => deleted)).toEqual([]);
  });

  it('knows where it stands as an integer, the same on all pages', async () => {
    const first = await device.send('/sync/full?limit=20');
    await device.push([upsert('notes', 'late', {})]);
    const second = await device.send(`/sync/full?cursor=${String(first.headers.get('x-sync-cursor'))}`);
    expect([first, second].map(({ headers }) => headers.get('x-sync-seq'))).toEqual(['42', '42']);
    expect((await app.as('nobody').send('/sync/full')).headers.get('x-sync-seq')).toBe('0');
  });

  it('is told on request, and on the first page only, how many rows to expect', async () => {
    const first = await device.send('/sync/full?limit=20&count=true');
    expect(first.headers.get('x-sync-count')).toBe('41');
    const cursor = String(first.headers.get('x-sync-cursor'));
    expect(
      (await device.send(`/sync/full?count=true&cursor=${cursor}`)).headers.get('x-sync-count'),
    ).toBeNull();
    expect((await device.send('/sync/full')).headers.get('x-sync-count')).toBeNull();
  });

  it.each(['tombstones=no', 'count=1', 'tombstones=true&tombstones=false'])('refuses %s', async (query) => {
    const { status, body } = await device.send(`/sync/full?${query}`);
    expect({ status, body }).toMatchObject({ status: 400, body: { code: 'malformed_request' } });
  });
});

describe('a pull', () => {
  /** As it travels: fetch would unzip it. */
  const raw = (path: string, headers: Record<string, string>) =>
    new Promise<{ encoding: string | undefined; vary: string | undefined; body: Buffer }>(
      (resolve, reject) => {
        get(
          `${app.url}${path}`,
          { headers: { authorization: `Bearer ${device.token}`, ...headers } },
          (response) => {
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.once('end', () =>
              resolve({
                encoding: response.headers['content-encoding'],
                vary: response.headers.vary,
                body: Buffer.concat(chunks),
              }),
            );
          },
        ).once('error', reject);
      },
    );

  it('is zipped when it is large and the client takes it, and says the same', async () => {
    const plain = await raw('/sync/pull', {});
    const zipped = await raw('/sync/pull', { 'accept-encoding': 'gzip' });
    expect([plain.encoding, zipped.encoding]).toEqual([undefined, 'gzip']);
    expect(gunzipSync(zipped.body).equals(plain.body)).toBe(true);
    expect(zipped.body.length).toBeLessThan(plain.body.length / 3);
    const small = await raw('/sync/pull?limit=1', { 'accept-encoding': 'gzip' });
    const refused = await raw('/sync/pull', { 'accept-encoding': 'gzip;q=0, identity' });
    expect([small.encoding, refused.encoding]).toEqual([undefined, undefined]);
    expect([plain, zipped, small].map(({ vary }) => vary)).toEqual(Array(3).fill('Accept-Encoding'));
  });
});
