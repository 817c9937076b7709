import { randomBytes } from 'node:crypto';
import { get as httpGet, type IncomingMessage } from 'node:http';
import mongoose from 'mongoose';
import { parseHlc, ZERO_VERSION, type FullLine } from 'nest-offline-sync-protocol';
import type { PullPage } from '../../../libs/sync/src/pull/page';
import { FailPoints } from '../../support/fail-point';
import { startReadingApp, type ReadingApp } from '../../support/reading-app';
import { SeededScope, type Write } from '../../support/seeded-scope';
import { until } from '../../support/until';

const { ObjectId, UUID, Long, Decimal128, BSONRegExp } = mongoose.mongo;

interface Page {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly lines: FullLine[];
  readonly lastSeq: string | null;
  readonly seq: number | null;
  readonly cursor: string | null;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const tasks = (count: number): Write[] =>
  range(count).map((n) => ({ collection: 'tasks', id: `t${String(n)}`, data: { n } }));
const linesOf = (text: string): FullLine[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as FullLine)
    .filter((line) => !('end' in line));
const numberOf = (text: string | null): number | null => (text === null ? null : Number(text));
/** The last line, as it must be for a page to be whole. */
const endOf = ({ lastSeq, seq, cursor }: Pick<Page, 'lastSeq' | 'seq' | 'cursor'>): string =>
  `${JSON.stringify({ end: true, last_seq: lastSeq, seq, cursor })}\n`;

describe('full', () => {
  let faults: FailPoints;
  const options = {
    authorizer: (identity: { actorId: string }, collection: string): boolean =>
      identity.actorId !== 'guest' || collection !== 'orders',
    collections: [
      { name: 'tasks', freeForm: true, ids: 'global' as const },
      { name: 'notes', freeForm: true, ids: 'scoped' as const },
      { name: 'orders', freeForm: true, ids: 'global' as const },
      { name: 'archive', freeForm: true, ids: 'global' as const, allowFullResync: false },
    ],
  };
  let reading: ReadingApp;
  const commands: Record<string, unknown>[] = [];

  beforeAll(async () => {
    faults = await FailPoints.start();
    reading = await startReadingApp(faults.uri('full'), { options, client: { monitorCommands: true } });
    reading.client.on('commandStarted', ({ command }) => {
      commands.push(command);
    });
  });
  afterEach(() => faults.off());
  afterAll(async () => {
    await reading.close();
    await faults.close();
  });

  async function full(
    scope: string,
    query: Record<string, string> = {},
    headers: Record<string, string> = {},
    actor?: string,
  ): Promise<Page> {
    const response = await fetch(`${reading.url}/sync/full?${new URLSearchParams(query).toString()}`, {
      headers: { 'accept-encoding': 'identity', ...reading.as(scope, actor), ...headers },
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      lines: response.ok ? linesOf(text) : [],
      lastSeq: response.headers.get('x-sync-lastseq'),
      seq: numberOf(response.headers.get('x-sync-seq')),
      cursor: response.headers.get('x-sync-cursor'),
    };
  }

  async function allPages(
    scope: string,
    query: Record<string, string>,
  ): Promise<{ pages: Page[]; lines: FullLine[] }> {
    const pages: Page[] = [];
    for (let cursor: string | null = ''; cursor !== null; cursor = pages.at(-1)?.cursor ?? null) {
      const page = await full(scope, { ...query, cursor });
      if (page.status !== 200) throw new Error(page.text);
      expect(page.text.split(/(?<=\n)/).at(-1)).toBe(endOf(page));
      pages.push(page);
    }
    return { pages, lines: pages.flatMap(({ lines }) => lines) };
  }

  const refusal = ({ status, text }: Page): unknown => ({ status, ...(JSON.parse(text) as object) });

  /** Cursors that the server keeps open for readers of this test's collections. */
  async function openCursors(collection: string): Promise<number> {
    const found = await reading.client
      .db('admin')
      .aggregate([
        { $currentOp: { idleCursors: true, localOps: true } },
        { $match: { type: 'idleCursor', ns: `${reading.db.databaseName}.${collection}` } },
      ])
      .toArray();
    return found.length;
  }

  it('gives each document as a line, tombstones too, in the order of the collections', async () => {
    const seeded = new SeededScope(reading.db, 'lines');
    const versions = await seeded.write([
      { collection: 'orders', id: 'line-o1', data: { total: 3 } },
      { collection: 'tasks', id: 'line-b', data: { title: 'x' } },
      { collection: 'tasks', id: 'line-a', data: { title: 'y' } },
      { collection: 'tasks', id: 'line-b', data: null },
    ]);
    const whole = await full('lines');
    expect(whole.lines).toEqual([
      { collection: 'tasks', doc_id: 'line-a', data: { title: 'y' }, deleted: false, version: versions[2] },
      { collection: 'tasks', doc_id: 'line-b', data: null, deleted: true, version: versions[3] },
      { collection: 'orders', doc_id: 'line-o1', data: { total: 3 }, deleted: false, version: versions[0] },
    ]);
    expect(Object.keys(whole.lines[0] ?? {})).toEqual(['collection', 'doc_id', 'data', 'deleted', 'version']);
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
      vary: 'Accept-Encoding',
      'x-sync-lastseq': seeded.head,
    });
    expect(whole.cursor).toBeNull();
    const asked = await full('lines', { collections: 'orders,tasks' });
    expect(asked.lines.map(({ doc_id }) => doc_id)).toEqual(['line-o1', 'line-a', 'line-b']);
  });

  it('loses and doubles nothing at page borders, whatever kinds of ids are mixed', async () => {
    const seeded = new SeededScope(reading.db, 'mixed');
    const ids = [
      ...[-1, 0, 1, 2.5, 1e15, Long.fromString('9007199254740993')],
      ...['', 'a', 'B', 'é', '\u{1f600}', '1', 'true', '65f000000000000000000001', '{"$oid":1}'],
      ...range(7).map(() => new ObjectId()),
      ...range(3).map(() => new UUID()),
      ...[new Date(0), true, Decimal128.fromString('7.25'), { a: 1, b: [2] }, null],
    ];
    const stored = ids.map((id, n) => ({ _id: id as never, ...seeded.stored({ n }, ZERO_VERSION) }));
    for (const name of ['tasks', 'orders'])
      await reading.db.collection(name).bulkWrite(
        // An upsert, because insertMany makes an ObjectId of a null.
        stored.map(({ _id, ...rest }) => ({
          updateOne: { filter: { _id }, update: { $set: rest }, upsert: true },
        })),
      );
    const whole = (await full('mixed', { limit: '0' })).lines;
    const count = ids.length;
    expect(whole).toHaveLength(2 * count);
    for (const limit of ['1', '2', '3', '7', String(count - 1), String(count), String(count + 1), '100']) {
      const { pages, lines } = await allPages('mixed', { limit });
      expect(lines).toEqual(whole);
      expect(pages).toHaveLength(Math.ceil((2 * count) / Number(limit)));
      expect(pages.slice(0, -1).every((page) => page.lines.length === Number(limit))).toBe(true);
    }
    await reading.db.collection('tasks').deleteMany({ _sync_scope_id: 'mixed' });
    await reading.db.collection('orders').deleteMany({ _sync_scope_id: 'mixed' });
  });

  it('fills pages over collections, and gives no cursor after the last document', async () => {
    const seeded = new SeededScope(reading.db, 'borders');
    await seeded.write([
      ...range(3).map((n) => ({ collection: 'tasks', id: `border-${String(n)}`, data: { n } })),
      ...range(2).map((n) => ({ collection: 'orders', id: `border-${String(n)}`, data: { n } })),
    ]);
    for (const [limit, sizes] of [
      ['5', [5]],
      ['3', [3, 2]],
      ['4', [4, 1]],
      ['2', [2, 2, 1]],
    ] as const) {
      const { pages } = await allPages('borders', { limit });
      expect(pages.map(({ lines }) => lines.length)).toEqual(sizes);
    }
    const only = await allPages('borders', { limit: '3', collections: 'tasks' });
    expect(only.pages).toHaveLength(1);
  });

  it('marks the cursor before the first read and keeps it, so that pull brings what the pages missed', async () => {
    const seeded = new SeededScope(reading.db, 'fold');
    await seeded.write(tasks(6).map((write) => ({ ...write, id: `fold-${String(write.id)}` })));
    const marked = seeded.head;
    const state = new Map<unknown, unknown>();
    const apply = (id: unknown, data: unknown): void => {
      if (data === null) state.delete(id);
      else state.set(id, data);
    };
    for (let cursor: string | null = '', n = 100; cursor !== null; n += 1) {
      const page = await full('fold', { limit: '2', cursor });
      expect(page.lastSeq).toBe(marked);
      for (const { doc_id, data } of page.lines) apply(doc_id, data);
      cursor = page.cursor;
      // Behind the reader and before it; a change, a delete and a new document.
      await seeded.write([
        { collection: 'tasks', id: 'fold-t0', data: { n } },
        { collection: 'tasks', id: `fold-t${String(n % 6)}`, data: null },
        { collection: 'tasks', id: `fold-x${String(n)}`, data: { n } },
      ]);
    }
    const rest = (await reading.sync.pull(
      { scopeId: 'fold', actorId: 'ann' },
      { since: marked },
    )) as PullPage;
    for (const { doc_id, data } of rest.changes) apply(doc_id, data);
    const stored = await reading.db
      .collection<{ _id: unknown; n: number }>('tasks')
      .find({ _sync_scope_id: 'fold', _sync_deleted: false })
      .toArray();
    expect(state).toEqual(new Map(stored.map(({ _id, n }) => [_id, { n }])));
  });

  it('of an empty scope leads to its first write', async () => {
    const empty = await full('empty');
    const text = endOf({ lastSeq: ZERO_VERSION, seq: 0, cursor: null });
    expect(empty).toMatchObject({ status: 200, text, lastSeq: ZERO_VERSION, cursor: null });
    const seeded = new SeededScope(reading.db, 'empty');
    const [version] = await seeded.write([{ collection: 'tasks', id: 'empty-1', data: {} }]);
    const pulled = await reading.sync.pull({ scopeId: 'empty', actorId: 'ann' }, { since: empty.lastSeq });
    expect(pulled).toMatchObject({ full_resync_required: false, last_seq: version, seq: 1 });
  });

  it('keeps the scopes apart: documents, cursors and documents that have no scope', async () => {
    const a = new SeededScope(reading.db, 'apart-a');
    const b = new SeededScope(reading.db, 'apart-b', Date.UTC(2026, 4, 3));
    for (const seeded of [a, b])
      await seeded.write([
        ...range(5).map((n) => ({
          collection: 'tasks',
          id: `${seeded.scope}/${String(n)}`,
          data: { of: seeded.scope },
        })),
        // What scoped ids look like in the database: both own "settings".
        { collection: 'notes', id: JSON.stringify([seeded.scope, 'settings']), data: { of: seeded.scope } },
      ]);
    await reading.db.collection('tasks').insertMany([
      { _id: 'apart-none' as never, of: 'nobody' },
      { _id: 'apart-null' as never, of: 'nobody', _sync_scope_id: null },
      { _id: 'apart-many' as never, of: 'many', _sync_scope_id: ['apart-a', 'apart-b'] },
    ]);
    for (const { scope, head } of [a, b]) {
      const { pages, lines } = await allPages(scope, { limit: '4' });
      expect(lines).toHaveLength(6);
      expect(lines.filter(({ data }) => data?.['of'] !== scope)).toEqual([]);
      expect(lines.at(-1)).toMatchObject({ collection: 'notes', doc_id: 'settings' });
      expect(pages[0]?.lastSeq).toBe(head);
    }
    const cursor = (await full('apart-b', { limit: '2' })).cursor ?? '';
    expect(cursor).not.toBe('');
    const foreign = refusal(await full('apart-a', { cursor }));
    expect(foreign).toMatchObject({ status: 400, code: 'invalid_cursor', path: 'cursor' });
    expect(foreign).toEqual(refusal(await full('apart-a', { cursor: 'garbage' })));
  });

  it('takes no forged position for more than a place in the own scope', async () => {
    await new SeededScope(reading.db, 'forged').write([{ collection: 'tasks', id: 'forged-1', data: {} }]);
    const forge = (changes: object): string =>
      Buffer.from(
        JSON.stringify({
          v: 1,
          scope: 'forged',
          collections: ['tasks'],
          index: 0,
          from: 'a',
          lastSeq: ZERO_VERSION,
          ...changes,
        }),
      ).toString('base64url');
    expect((await full('forged', { cursor: forge({}) })).lines).toHaveLength(1);
    const places: unknown[] = [
      ...[{ $maxKey: 1 }, { $undefined: true }, [1], { $oid: 'x' }, { $date: 'x' }, { $numberLong: 'x' }],
      ...[1, { $numberInt: '1e999' }, { $gt: '' }, { $where: 'sleep(1)' }, { $minKey: 1 }, {}, null, true],
      ...[
        { $code: 'x' },
        { $regularExpression: { pattern: '(', options: '' } },
        { $timestamp: { t: -1, i: 0 } },
      ],
      JSON.parse(`${'['.repeat(2000)}${']'.repeat(2000)}`),
      JSON.parse(`${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`),
    ];
    for (const from of places) {
      const page = await full('forged', { cursor: forge({ from }) });
      expect([200, 400]).toContain(page.status);
      expect(page.lines.every(({ doc_id }) => doc_id === 'forged-1')).toBe(true);
    }
    const collections = ['orders'];
    expect(refusal(await full('forged', { cursor: forge({ collections }) }, {}, 'guest'))).toMatchObject({
      status: 403,
      code: 'forbidden',
    });
    expect(refusal(await full('forged', { cursor: forge({ collections: ['archive'] }) }))).toMatchObject({
      code: 'full_resync_disabled',
    });
    expect(refusal(await full('forged', { cursor: forge({ collections: ['system.users'] }) }))).toMatchObject(
      {
        code: 'unknown_collection',
      },
    );
    const ahead = '29990101T000000.000Z-0000-x';
    expect(parseHlc(ahead)).toBeDefined();
    expect(refusal(await full('forged', { cursor: forge({ lastSeq: ahead }) }))).toMatchObject({
      status: 400,
      code: 'invalid_cursor',
    });
  });

  it('goes on with the collections that it began with, and refuses others', async () => {
    const seeded = new SeededScope(reading.db, 'chosen');
    await seeded.write(
      ['orders', 'tasks', 'orders', 'tasks'].map((collection, n) => ({
        ...{ collection, id: `chosen-${String(n)}`, data: { n } },
      })),
    );
    const { cursor, lines } = await full('chosen', { collections: 'orders,tasks', limit: '3' });
    expect(lines.map(({ doc_id }) => doc_id)).toEqual(['chosen-0', 'chosen-2', 'chosen-1']);
    for (const query of [{}, { collections: 'orders,tasks' }, { collections: 'tasks,orders' }] as object[]) {
      const rest = await full('chosen', { ...query, cursor: cursor ?? '' });
      expect(rest.lines.map(({ doc_id }) => doc_id)).toEqual(['chosen-3']);
    }
    for (const collections of ['tasks', 'tasks,orders,notes', 'notes'])
      expect(refusal(await full('chosen', { collections, cursor: cursor ?? '' }))).toMatchObject({
        status: 400,
        code: 'invalid_cursor',
      });
    // Rights are looked at on each page.
    expect(refusal(await full('chosen', { cursor: cursor ?? '' }, {}, 'guest'))).toMatchObject({
      code: 'forbidden',
    });
  });

  it('says to start again when the log was trimmed past the cursor between two pages', async () => {
    const seeded = new SeededScope(reading.db, 'slow');
    await seeded.write(range(4).map((n) => ({ collection: 'tasks', id: `slow-${String(n)}`, data: { n } })));
    const first = await full('slow', { limit: '2' });
    await seeded.write([{ collection: 'tasks', id: 'slow-9', data: {} }]);
    await seeded.trim(5);
    const next = refusal(await full('slow', { limit: '2', cursor: first.cursor ?? '' }));
    expect(next).toMatchObject({ status: 400, code: 'invalid_cursor' });
    expect(next).toHaveProperty('message', expect.stringContaining('Start it again'));
    expect((await full('slow')).lines).toHaveLength(5);
  });

  it('leaves out what gives no full resync, and refuses it when it is asked for', async () => {
    await new SeededScope(reading.db, 'closed').write([
      { collection: 'archive', id: 'closed-1', data: {} },
      { collection: 'tasks', id: 'closed-1', data: {} },
      { collection: 'orders', id: 'closed-1', data: {} },
    ]);
    expect((await full('closed')).lines.map(({ collection }) => collection)).toEqual(['tasks', 'orders']);
    expect((await full('closed', {}, {}, 'guest')).lines.map(({ collection }) => collection)).toEqual([
      'tasks',
    ]);
    expect(refusal(await full('closed', { collections: 'tasks,archive' }))).toMatchObject({
      status: 403,
      code: 'full_resync_disabled',
    });
    expect(refusal(await full('closed', { collections: 'orders' }, {}, 'guest'))).toMatchObject({
      status: 403,
      code: 'forbidden',
    });
  });

  it.each([
    [{ limit: '-1' }, 'invalid_limit'],
    [{ limit: '10001' }, 'invalid_limit'],
    [{ limit: 'all' }, 'invalid_limit'],
    [{ cursor: '!' }, 'invalid_cursor'],
    [{ cursor: 'AAAA' }, 'invalid_cursor'],
    [{ collections: 'nope' }, 'unknown_collection'],
  ])('refuses %j', async (query, code) => {
    const page = await full('bad', query);
    expect(refusal(page)).toMatchObject({ status: 400, statusCode: 400, code });
    expect(page.headers.get('content-type')).toContain('application/json');
    expect(page.headers.get('content-encoding')).toBeNull();
  });

  it('gives odd documents as well as it can, and never stops at one', async () => {
    const seeded = new SeededScope(reading.db, 'odd');
    const nested = JSON.parse(`${'{"a":'.repeat(90)}1${'}'.repeat(90)}`) as object;
    const odd = [
      { v: NaN },
      { v: [Infinity, -0] },
      { v: Long.MAX_VALUE },
      { v: new BSONRegExp('(?i)[', 'x') },
      { v: new Date(NaN), w: new Date(8.64e15) },
      { 'a.b': 1, $c: 2, '': 3 },
      { v: Buffer.from([0xff]), w: new mongoose.mongo.Timestamp({ t: 1, i: 2 }) },
      { v: new mongoose.mongo.Code('x', { y: 1 }), w: new mongoose.mongo.MinKey() },
      { v: nested },
      { _sync_more: 1, v: 'after' },
    ];
    await reading.db
      .collection('tasks')
      .insertMany(
        odd.map((data, n) => ({ ...seeded.stored(data, undefined), _id: `odd-${String(n)}` as never })),
      );
    const { lines } = await full('odd');
    expect(lines).toHaveLength(odd.length);
    expect(lines[0]).toEqual({
      collection: 'tasks',
      doc_id: 'odd-0',
      data: { v: null },
      deleted: false,
      version: null,
    });
    expect(lines.at(-1)?.data).toEqual({ v: 'after' });
  });

  it('is zipped when that is accepted, and plain otherwise', async () => {
    const seeded = new SeededScope(reading.db, 'zip');
    await seeded.fill('tasks', 2500, (n) => ({ n, title: 'a title that zips well' }));
    const plain = await full('zip', { limit: '0' });
    expect(plain.headers.get('content-encoding')).toBeNull();
    expect(plain.lines).toHaveLength(2500);
    for (const accept of ['gzip', 'deflate, gzip;q=0.5', '*']) {
      const zipped = await full('zip', { limit: '0' }, { 'accept-encoding': accept });
      expect(zipped.headers.get('content-encoding')).toBe('gzip');
      expect(zipped.headers.get('vary')).toBe('Accept-Encoding');
      expect(zipped.text).toBe(plain.text);
      expect(zipped.text.endsWith(endOf(plain))).toBe(true);
    }
    for (const accept of ['br', 'gzip;q=0', '']) {
      const page = await full('zip', { limit: '10' }, { 'accept-encoding': accept });
      expect(page.headers.get('content-encoding')).toBeNull();
    }
  });

  it('goes on after a restart of the server', async () => {
    await new SeededScope(reading.db, 'restart').write(
      range(5).map((n) => ({ collection: 'tasks', id: `restart-${String(n)}`, data: { n } })),
    );
    const first = await full('restart', { limit: '3' });
    const other = await startReadingApp(faults.uri('full'), { options });
    try {
      const response = await fetch(
        `${other.url}/sync/full?${new URLSearchParams({ cursor: first.cursor ?? '' }).toString()}`,
        { headers: other.as('restart') },
      );
      expect(response.headers.get('x-sync-lastseq')).toBe(first.lastSeq);
      expect(linesOf(await response.text()).map(({ doc_id }) => doc_id)).toEqual(['restart-3', 'restart-4']);
    } finally {
      await other.close();
    }
  });

  it('is a plain method too', async () => {
    await new SeededScope(reading.db, 'method').write([
      { collection: 'tasks', id: 'method-1', data: { n: 1 } },
    ]);
    const page = await reading.sync.full(
      { scopeId: 'method', actorId: 'ann' },
      { collections: ['tasks'], limit: 5 },
    );
    let text = '';
    for await (const chunk of page.lines) text += String(chunk);
    expect(text).not.toContain('"end"');
    expect(linesOf(text)).toMatchObject([{ doc_id: 'method-1', data: { n: 1 } }]);
    expect(page.nextCursor).toBeUndefined();
  });

  it('has short cursors with many collections, and other collections refuse them', async () => {
    const names = range(200).map((n) => `a_collection_with_quite_a_long_name_number_${String(n)}`);
    const appWith = (some: readonly string[]): Promise<ReadingApp> =>
      startReadingApp(faults.uri('full-many'), {
        options: { collections: some.map((name) => ({ name, freeForm: true, ids: 'global' })) },
      });
    const pageOf = async (
      app: ReadingApp,
      query: Record<string, string>,
    ): Promise<[number, string, string]> => {
      const response = await fetch(`${app.url}/sync/full?${new URLSearchParams(query).toString()}`, {
        headers: app.as('many-names'),
      });
      return [response.status, response.headers.get('x-sync-cursor') ?? '', await response.text()];
    };
    const all = await appWith(names);
    const asked = names.filter((_, n) => n % 2 === 0).reverse();
    const seeded = new SeededScope(all.db, 'many-names');
    await seeded.write(
      [names[0], names[2], names[198]].map((collection, n) => ({
        ...{ collection: collection ?? '', id: `name-${String(n)}`, data: {} },
      })),
    );
    try {
      for (const more of [{}, { collections: asked.join() }] as Record<string, string>[]) {
        const [, cursor] = await pageOf(all, { limit: '1', ...more });
        expect(cursor.length).toBeGreaterThan(0);
        expect(cursor.length).toBeLessThan(1000);
        const [status, , rest] = await pageOf(all, { cursor });
        expect([status, linesOf(rest).length]).toEqual([200, 2]);
      }
      const [, cursor] = await pageOf(all, { limit: '1' });
      const fewer = await appWith(names.slice(0, 199));
      const [status, , text] = await pageOf(fewer, { cursor });
      await fewer.close();
      expect([status, text]).toEqual([400, expect.stringContaining('Start the full resync again')]);
    } finally {
      await all.close();
    }
  });

  describe('with 50,000 documents', () => {
    const COUNT = 50_000;

    beforeAll(async () => {
      await new SeededScope(reading.db, 'many').fill('orders', COUNT, (n) => ({
        n,
        noise: randomBytes(300).toString('base64'),
      }));
    }, 120_000);
    beforeEach(() => {
      commands.length = 0;
      reading.metrics.fulls = 0;
    });

    const getMores = (): number => commands.filter((command) => command['getMore'] !== undefined).length;

    /** Opens a stream, takes its first bytes and stops reading. */
    async function stalled(headers: Record<string, string>): Promise<IncomingMessage> {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        httpGet(
          `${reading.url}/sync/full?limit=0&collections=orders`,
          { headers: { ...reading.as('many'), ...headers }, agent: false },
          resolve,
        ).on('error', reject);
      });
      response.on('error', () => undefined);
      await new Promise((resolve) => response.once('readable', resolve));
      // Wait until the server no longer reads on: twice the same number of batches, and a cursor left open.
      let before = -1;
      await until(
        async () => {
          const now = getMores();
          const still = now === before && (await openCursors('orders')) === 1;
          before = now;
          return still;
        },
        undefined,
        100,
      );
      return response;
    }

    it('streams them all in one answer', async () => {
      const page = await full('many', { limit: '0', collections: 'orders' });
      expect(new Set(page.lines.map(({ data }) => data?.['n'])).size).toBe(COUNT);
      expect(page.lines).toHaveLength(COUNT);
      expect(page.cursor).toBeNull();
      expect(await openCursors('orders')).toBe(0);
      expect(reading.metrics.fulls).toBe(1);
      const batches = commands.flatMap(({ getMore, batchSize }) =>
        getMore === undefined ? [] : [batchSize],
      );
      expect(new Set(batches)).toEqual(new Set([1000]));
    });

    it.each([
      ['plain', { 'accept-encoding': 'identity' }],
      ['zipped', { 'accept-encoding': 'gzip' }],
    ])(
      'reads no faster than the client of a %s stream, and ends the cursor when it goes away',
      async (_name, headers) => {
        const response = await stalled(headers);
        expect(getMores()).toBeLessThan(COUNT / 1000 / 2);
        response.destroy();
        await until(async () => (await openCursors('orders')) === 0);
        await until(() => reading.metrics.fulls === 1);
      },
    );

    it('ends the cursor of a client that goes away before the first byte', async () => {
      await faults.set({
        commands: ['find'],
        namespace: 'full.orders',
        blockTimeMS: 500,
        times: 1,
      });
      const request = httpGet(`${reading.url}/sync/full?limit=0&collections=orders`, {
        headers: reading.as('many'),
        agent: false,
      });
      request.on('error', () => undefined);
      await until(() => commands.some((command) => command['find'] === 'orders'));
      request.destroy();
      await until(() => reading.metrics.fulls === 1);
      expect(await openCursors('orders')).toBe(0);
      expect(getMores()).toBeLessThan(COUNT / 1000 / 2);
    });

    const reads = { commands: ['getMore'], namespace: 'full.orders' };

    it.each([239, 246])(
      'goes on with majority reads when the snapshot is lost in mid-stream (%d)',
      async (code) => {
        const identity = { scopeId: 'many', actorId: 'ann' };
        const page = await reading.sync.full(identity, { limit: 0, collections: 'orders' });
        let text = '';
        let chunks = 0;
        for await (const chunk of page.lines) {
          text += String(chunk);
          chunks += 1;
          if (chunks === 100) await faults.set({ ...reads, errorCode: code, times: 1 });
        }
        const numbers = linesOf(text).map(({ data }) => data?.['n']);
        expect(numbers).toHaveLength(COUNT);
        expect(new Set(numbers).size).toBe(COUNT);
        const levels = commands
          .filter((command) => command['find'] === 'orders')
          .map(({ readConcern }) => readConcern as { level: string; afterClusterTime?: unknown });
        expect(levels.map(({ level }) => level)).toEqual(['snapshot', 'snapshot', 'majority']);
        expect(levels[2]?.afterClusterTime).toBeDefined();
        expect(await openCursors('orders')).toBe(0);
      },
    );

    it('goes on when its cursor is lost', async () => {
      const killed: unknown[] = [];
      const page = await reading.sync.full(
        { scopeId: 'many', actorId: 'ann' },
        { limit: 0, collections: 'orders' },
      );
      let text = '';
      for await (const chunk of page.lines) {
        text += String(chunk);
        const id = commands.findLast((command) => command['getMore'] !== undefined)?.['getMore'];
        if (id === undefined || killed.length > 2 || killed.includes(id)) continue;
        killed.push(id);
        await reading.db.command({ killCursors: 'orders', cursors: [id] });
      }
      expect(killed).toHaveLength(3);
      const numbers = linesOf(text).map(({ data }) => data?.['n']);
      expect(numbers).toHaveLength(COUNT);
      expect(new Set(numbers).size).toBe(COUNT);
    });

    it('never looks finished when it breaks off', async () => {
      await faults.set({ ...reads, errorCode: 8000, skip: 3 });
      for (const encoding of ['identity', 'gzip']) {
        const answer = full('many', { limit: '0' }, { 'accept-encoding': encoding });
        await expect(answer).rejects.toThrow();
      }
      await until(async () => (await openCursors('orders')) === 0);
    });
  });
});
