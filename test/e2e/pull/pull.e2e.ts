import { ValidationPipe, type CallHandler, type ExecutionContext } from '@nestjs/common';
import mongoose from 'mongoose';
import { map, type Observable } from 'rxjs';
import type { LogChange } from 'nest-offline-sync-protocol';
import { testDatabase } from '../../support/database';
import { FailPoints } from '../../support/fail-point';
import { SeededScope, type Write } from '../../support/seeded-scope';
import { startReadingApp, type ReadingApp } from '../../support/reading-app';

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: {
    changes: LogChange[];
    last_seq: string;
    seq: number;
    has_more: boolean;
    code?: string;
    message?: string;
  };
}

const COLLECTIONS = ['tasks', 'notes', 'orders'];
const someWrites = (count: number, from = 0): Write[] =>
  Array.from({ length: count }, (_, index) => ({
    collection: COLLECTIONS[(from + index) % 3] ?? 'tasks',
    id: `d${String((from + index) % 11)}`,
    data: index % 5 === 4 ? null : { n: from + index },
  }));

describe('pull', () => {
  let reading: ReadingApp;
  let faults: FailPoints;
  const started: string[] = [];

  beforeAll(async () => {
    faults = await FailPoints.start();
    reading = await startReadingApp(faults.uri('pull'), {
      client: { monitorCommands: true, heartbeatFrequencyMS: 500 },
      options: {
        authorizer: (identity, collection) => identity.actorId !== 'guest' || collection !== 'orders',
        maxPullLimit: 100,
      },
    });
    reading.client.on('commandStarted', ({ command }) => {
      const { readConcern } = command as { readConcern?: { level?: string } };
      if (readConcern?.level) started.push(readConcern.level);
    });
  });
  afterEach(() => faults.off());
  afterAll(async () => {
    await reading.close();
    await faults.close();
  });

  async function pull(
    scope: string,
    query: Record<string, string> | string = {},
    actor?: string,
  ): Promise<Answer> {
    const search = new URLSearchParams(query).toString();
    const response = await fetch(`${reading.url}/sync/pull?${search}`, { headers: reading.as(scope, actor) });
    return {
      status: response.status,
      headers: response.headers,
      body: (await response.json()) as Answer['body'],
    };
  }

  async function follow(scope: string, query: Record<string, string> = {}): Promise<LogChange[]> {
    const changes: LogChange[] = [];
    for (let since = query['since'] ?? ''; ;) {
      const { status, body } = await pull(scope, { ...query, since });
      expect(status).toBe(200);
      changes.push(...body.changes);
      since = body.last_seq;
      if (!body.has_more) return changes;
    }
  }

  it('gives the log page by page: each entry once, in order, as it was written', async () => {
    const log = new SeededScope(reading.db, 'pages');
    const writes = someWrites(57);
    const versions = await log.write(writes);
    const first = await pull('pages', { limit: '10' });
    expect(first.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(first.headers.get('cache-control')).toBe('no-store');
    expect(first.headers.get('etag')).toBeNull();
    expect(Object.keys(first.body)).toEqual(['changes', 'last_seq', 'seq', 'has_more']);
    expect(first.body).toMatchObject({ last_seq: versions[9], seq: 10, has_more: true });
    expect(first.body.changes[4]).toEqual({
      version: versions[4],
      seq: 5,
      collection: 'notes',
      doc_id: 'd4',
      operation: 'delete',
      data: null,
      parent_version: null,
    });
    for (const limit of ['1', '10', '56', '57', '100']) {
      const changes = await follow('pages', { limit });
      expect(changes.map(({ version }) => version)).toEqual(versions);
    }
  });

  it('gives the asked collections alone, and a cursor over all of them', async () => {
    const log = new SeededScope(reading.db, 'subset');
    await log.write(someWrites(30));
    const changes = await follow('subset', { collections: 'notes,orders', limit: '4' });
    expect(changes.map(({ seq }) => seq)).toEqual(
      Array.from({ length: 30 }, (_, index) => index + 1).filter((seq) => seq % 3 !== 1),
    );
    await log.write(Array.from({ length: 5 }, (_, index) => ({ collection: 'orders', id: index, data: {} })));
    const quiet = await pull('subset', { collections: 'tasks', since: changes.at(-1)?.version ?? '' });
    expect(quiet.body).toMatchObject({ changes: [], last_seq: log.head, seq: 35, has_more: false });
  });

  it('goes on from a seq as from its version, and knows both or neither', async () => {
    const log = new SeededScope(reading.db, 'by-seq');
    const versions = await log.write(someWrites(12));
    const whole = await follow('by-seq');
    const queries: Record<string, string>[] = [{ limit: '3' }, { limit: '3', collections: 'notes' }];
    for (const query of queries) {
      expect((await pull('by-seq', { since_seq: '0', ...query })).body).toEqual(
        (await pull('by-seq', query)).body,
      );
      for (const [index, since] of versions.entries()) {
        const bySeq = await pull('by-seq', { since_seq: String(index + 1), ...query });
        expect(bySeq.body).toEqual((await pull('by-seq', { since, ...query })).body);
      }
    }
    expect((await pull('by-seq', { since_seq: '5' })).body.changes).toEqual(whole.slice(5));
    const unknown = { full_resync_required: true, reason: 'unknown_cursor' };
    expect((await pull('by-seq', { since_seq: '13' })).body).toMatchObject(unknown);
    expect((await pull('by-seq', { since_seq: '9007199254740991' })).body).toMatchObject(unknown);
    expect((await pull('never-written', { since_seq: '1' })).body).toMatchObject(unknown);
    expect((await pull('never-written', { since_seq: '0' })).body).toMatchObject({ changes: [], seq: 0 });
    await log.trim(4, true);
    for (const since_seq of ['0', '1', '3'])
      expect((await pull('by-seq', { since_seq })).body).toMatchObject({
        full_resync_required: true,
        reason: 'too_old',
      });
    expect((await pull('by-seq', { since_seq: '4' })).body.changes).toEqual(whole.slice(4));
    expect((await pull('by-seq', { since_seq: '12' })).body).toMatchObject({ changes: [], seq: 12 });
    // Another scope's seq says nothing here.
    expect((await pull('by-seq', { since_seq: '4', scope: 'elsewhere' })).body.code).toBe('scope_forbidden');
  });

  it('needs the head alone when there is nothing new', async () => {
    const log = new SeededScope(reading.db, 'quiet');
    await log.write(someWrites(3));
    started.length = 0;
    const { body } = await pull('quiet', { since: log.head });
    expect(body).toMatchObject({ changes: [], last_seq: log.head, seq: 3, has_more: false });
    expect(started).toEqual(['majority']);
  });

  it('shares one read of heads among concurrent pulls of many scopes', async () => {
    const logs = Array.from({ length: 12 }, (_, n) => new SeededScope(reading.db, `crowd-${String(n)}`));
    for (const [n, log] of logs.entries()) await log.write(someWrites(n + 1));
    const heads: object[] = [];
    const count = ({ command }: { command: object }): void => {
      if ((command as { find?: string }).find === 'sync_heads') heads.push(command);
    };
    reading.client.on('commandStarted', count);
    const identity = (n: number) => ({ scopeId: `crowd-${String(n % 13)}`, actorId: 'ann' });
    const answers = await Promise.all(
      Array.from({ length: 130 }, (_, n) => reading.sync.pull(identity(n), { since: logs[n % 13]?.head })),
    );
    reading.client.off('commandStarted', count);
    for (const [n, answer] of answers.entries())
      expect(answer).toMatchObject({ entries: [], seq: n % 13 === 12 ? 0 : (n % 13) + 1, has_more: false });
    expect(heads.length).toBeLessThanOrEqual(4);
  });

  it('reads entries that are no older than the head', async () => {
    await new SeededScope(reading.db, 'causal').write(someWrites(3));
    const after: unknown[] = [];
    const note = ({ command }: { command: object }): void => {
      const { find, readConcern } = command as {
        find?: string;
        readConcern?: { afterClusterTime?: unknown };
      };
      if (find === 'sync_oplog') after.push(readConcern?.afterClusterTime);
    };
    reading.client.on('commandStarted', note);
    await pull('causal');
    reading.client.off('commandStarted', note);
    expect(after).toEqual([expect.any(mongoose.mongo.Timestamp)]);
  });

  it('leads from an empty scope to its first write', async () => {
    const empty = await pull('fresh');
    expect(empty.body).toEqual({
      changes: [],
      last_seq: '19700101T000000.000Z-0000',
      seq: 0,
      has_more: false,
    });
    const [version] = await new SeededScope(reading.db, 'fresh').write(someWrites(1));
    const first = await pull('fresh', { since: empty.body.last_seq });
    expect(first.body).toMatchObject({ changes: [{ version, seq: 1 }], last_seq: version });
  });

  it('asks for a full resync when the cursor is older than what is kept', async () => {
    const log = new SeededScope(reading.db, 'trimmed');
    const versions = await log.write(someWrites(20));
    await log.trim(10);
    for (const since of ['', versions[0] ?? '', versions[8] ?? ''])
      expect((await pull('trimmed', { since, collections: 'tasks' })).body).toEqual({
        full_resync_required: true,
        collections: ['tasks'],
        reason: 'too_old',
      });
    const kept = versions.slice(10);
    expect((await follow('trimmed', { since: versions[9] ?? '' })).map(({ version }) => version)).toEqual(
      kept,
    );
    await log.trim(20, true);
    expect((await pull('trimmed', { since: versions[15] ?? '' })).body).toMatchObject({ reason: 'too_old' });
    expect((await pull('trimmed', { since: log.head })).body).toMatchObject({
      changes: [],
      last_seq: log.head,
    });
    const later = await log.write(someWrites(2));
    expect((await follow('trimmed', { since: versions[19] ?? '' })).map(({ version }) => version)).toEqual(
      later,
    );
  });

  it('asks for a full resync for a cursor of another database, but never before the majority was asked', async () => {
    const log = new SeededScope(reading.db, 'restored');
    await log.write(someWrites(5));
    for (const since of [
      '20260502T120000.003Z-0003-other',
      '20260502T120000.003Z-0003',
      '29990101T000000.000Z-0000-w-1',
    ]) {
      started.length = 0;
      expect((await pull('restored', { since })).body).toEqual({
        full_resync_required: true,
        collections: COLLECTIONS,
        reason: 'unknown_cursor',
      });
      expect(started).toContain('linearizable');
    }
    expect((await pull('never-written', { since: log.head })).body).toMatchObject({
      reason: 'unknown_cursor',
    });
  });

  it('keeps the scopes apart', async () => {
    const a = new SeededScope(reading.db, 'shop-a');
    const b = new SeededScope(reading.db, 'shop-b', Date.UTC(2026, 4, 3));
    await a.write(someWrites(6));
    await b.write([{ collection: 'tasks', id: 'd0', data: { secret: true } }]);
    const versions = (await follow('shop-a')).map(({ version }) => version);
    expect(versions).toEqual([1, 2, 3, 4, 5, 6].map((seq) => a.version(seq)));
    for (const scope of ['SHOP-A', 'shop-a ', 'shop-'])
      expect((await pull(scope)).body).toMatchObject({ changes: [], seq: 0 });
    const foreign = await pull('shop-a', { since: b.head });
    const unknown = await pull('shop-a', { since: '20260503T000000.777Z-0003-x' });
    expect(foreign.body).toEqual(unknown.body);
  });

  it('gives a large page in parts', async () => {
    const log = new SeededScope(reading.db, 'large');
    const text = 'x'.repeat(900_000);
    for (let part = 0; part < 4; part += 1)
      await log.write(
        Array.from({ length: 6 }, (_, id) => ({ collection: 'tasks', id, data: { part, text } })),
      );
    const first = await pull('large', { limit: '100' });
    expect(first.body.has_more).toBe(true);
    expect(first.body.changes.length).toBeGreaterThan(8);
    expect(first.body.changes.length).toBeLessThan(24);
    const all = await follow('large', { limit: '100' });
    expect(all.map(({ seq }) => seq)).toEqual(Array.from({ length: 24 }, (_, index) => index + 1));
  });

  it('asks the authorizer: what may not be read is left out, or refused when it was asked for', async () => {
    await new SeededScope(reading.db, 'guarded').write(someWrites(9));
    const guest = await pull('guarded', {}, 'guest');
    expect(guest.body.changes.map(({ collection }) => collection)).not.toContain('orders');
    expect(guest.body).toMatchObject({ seq: 9, has_more: false });
    const asked = await pull('guarded', { collections: 'tasks,orders' }, 'guest');
    expect(asked).toMatchObject({ status: 403, body: { statusCode: 403, code: 'forbidden' } });
  });

  it.each([
    ['since=yesterday', 'invalid_cursor'],
    ['since=20260502T120000.000Z-0001-a1b2%00', 'invalid_cursor'],
    ['since_seq=-1', 'invalid_cursor'],
    ['since_seq=1.5', 'invalid_cursor'],
    ['since_seq=ten', 'invalid_cursor'],
    ['since_seq=9007199254740992', 'invalid_cursor'],
    ['since_seq=1&since_seq=2', 'malformed_request'],
    ['since_seq=0&since=20260502T120000.000Z-0001-a1b2', 'malformed_request'],
    ['limit=0', 'invalid_limit'],
    ['limit=-5', 'invalid_limit'],
    ['limit=101', 'invalid_limit'],
    ['limit=99999999999999999999', 'invalid_limit'],
    ['limit=ten', 'invalid_limit'],
    ['limit=', 'invalid_limit'],
    ['limit=1&limit=2', 'malformed_request'],
    ['since=a&since=b', 'malformed_request'],
    ['collections=nope', 'unknown_collection'],
    ['collections=tasks&collections=sync_oplog', 'unknown_collection'],
    ['collections=__proto__', 'unknown_collection'],
    ['collections=constructor', 'unknown_collection'],
  ])('refuses %s', async (query, code) => {
    const { status, body, headers } = await pull('bad', query);
    expect({ status, ...body }).toMatchObject({ status: 400, statusCode: 400, code });
    expect(body.message).toMatch(/[a-z].*\./);
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('refuses a cursor as long as a request line may be', async () => {
    const { status, body } = await pull('bad', { since: '9'.repeat(10_000) });
    expect({ status, ...body }).toMatchObject({ status: 400, code: 'invalid_cursor' });
  });

  it('refuses unknown users', async () => {
    const response = await fetch(`${reading.url}/sync/pull`);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ statusCode: 401, code: 'unauthenticated' });
  });

  it('tells a HEAD request how long the answer is', async () => {
    await new SeededScope(reading.db, 'heading').write(someWrites(4));
    const head = await fetch(`${reading.url}/sync/pull`, { method: 'HEAD', headers: reading.as('heading') });
    const whole = await fetch(`${reading.url}/sync/pull`, { headers: reading.as('heading') });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-length')).toBe(String((await whole.arrayBuffer()).byteLength));
  });

  it('is a plain method too, with typed changes', async () => {
    await new SeededScope(reading.db, 'method').write(someWrites(4));
    const before = reading.metrics.pulls.length;
    const answer = await reading.sync.pull(
      { scopeId: 'method', actorId: 'ann' },
      { limit: 3, collections: ['tasks', 'notes'] },
    );
    if (answer.full_resync_required) throw new Error('not known');
    expect(answer.changes.map(({ collection, data }) => [collection, data])).toEqual([
      ['tasks', { n: 0 }],
      ['notes', { n: 1 }],
      ['tasks', { n: 3 }],
    ]);
    expect(reading.metrics.pulls.slice(before)).toEqual([3]);
  });

  it.each([
    ['takes too long', { errorCode: 50 }],
    ['breaks its connections', { closeConnection: true }],
  ])('answers 503 with Retry-After while the database %s, and says nothing about it', async (_what, data) => {
    await faults.set({ commands: ['find'], namespace: 'pull.sync_heads', ...data });
    const { status, headers, body } = await pull('anything');
    expect({ status, ...body }).toMatchObject({ status: 503, statusCode: 503, code: 'unavailable' });
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(JSON.stringify(body)).not.toMatch(/mongo|sync_heads|127\.0/i);
  });

  it('answers 500 with a correlation id for what nobody foresaw', async () => {
    await faults.set({ commands: ['find'], namespace: 'pull.sync_heads', errorCode: 2 });
    const { status, body } = await pull('anything');
    expect({ status, ...body }).toMatchObject({ status: 500, statusCode: 500, code: 'internal' });
    expect(body.message).toMatch(/[0-9a-f]{8}-[0-9a-f-]{27}/);
    expect(body.message).not.toMatch(/mongo|failCommand/i);
  });
});

describe('pull after push', () => {
  let reading: ReadingApp;
  beforeAll(async () => {
    reading = await startReadingApp(testDatabase(__filename).uri);
  });
  afterAll(() => reading.close());

  async function push(scope: string, client: string, changes: readonly object[]): Promise<string[]> {
    const response = await fetch(`${reading.url}/sync/push`, {
      method: 'POST',
      headers: { ...reading.as(scope), 'content-type': 'application/json' },
      body: JSON.stringify({ client_id: client, changes }),
    });
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const { results } = (await response.json()) as { results: { status: string; new_version: string }[] };
    expect(results.map(({ status }) => status)).toEqual(changes.map(() => 'accepted'));
    return results.map(({ new_version }) => new_version);
  }

  it('gives every accepted version exactly once and in order, to readers that follow while others write', async () => {
    const scope = 'busy';
    const identity = { scopeId: scope, actorId: 'ann' };
    const accepted: string[] = [];
    let writing = true;
    const writer = async (client: string): Promise<void> => {
      for (let n = 0; n < 15; n += 1)
        accepted.push(
          ...(await push(scope, client, [
            { collection: 'tasks', operation: 'upsert', doc_id: `${client}-${String(n)}`, data: { n } },
            { collection: 'notes', operation: 'upsert', doc_id: `${client}-${String(n)}`, data: { n } },
          ])),
        );
    };
    const reader = async (limit: number): Promise<string[]> => {
      const seen: string[] = [];
      for (let since: string | undefined; ;) {
        const last = !writing;
        const answer = await reading.sync.pull(identity, { since, limit });
        if (answer.full_resync_required) throw new Error(answer.reason);
        seen.push(...answer.changes.map(({ version }) => version));
        since = answer.last_seq;
        if (last && !answer.has_more) return seen;
      }
    };
    const readers = [1, 3, 7, 500].map(reader);
    await Promise.all(['c1', 'c2', 'c3', 'c4'].map(writer));
    writing = false;
    for (const seen of await Promise.all(readers)) expect(seen).toEqual([...accepted].sort());
  });

  it('gives the same as a full resync and the pulls after it', async () => {
    const upsert = (id: string, data: object): object => ({
      collection: 'tasks',
      operation: 'upsert',
      doc_id: id,
      data,
    });
    const [version] = await push('same', 'c1', [upsert('a', { n: 1 }), upsert('b', { n: 1 })]);
    const full = await reading.sync.full({ scopeId: 'same', actorId: 'ann' });
    let text = '';
    for await (const chunk of full.lines) text += String(chunk);
    await push('same', 'c1', [
      { ...upsert('a', { n: 2 }), parent_version: version },
      { collection: 'tasks', operation: 'delete', doc_id: 'b', parent_version: full.lastSeq },
    ]);
    const answer = await reading.sync.pull({ scopeId: 'same', actorId: 'ann' }, { since: full.lastSeq });
    if (answer.full_resync_required) throw new Error(answer.reason);
    expect(text.match(/"doc_id":"\w"/g)).toEqual(['"doc_id":"a"', '"doc_id":"b"']);
    expect(answer.changes).toMatchObject([
      { doc_id: 'a', operation: 'upsert', data: { n: 2 }, seq: 3 },
      { doc_id: 'b', operation: 'delete', data: null, seq: 4 },
    ]);
  });

  it('answers a malformed push with our shape, and never with 500', async () => {
    for (const body of ['{}', '[]', '"x"', '{"client_id":1,"changes":{}}', 'null']) {
      const response = await fetch(`${reading.url}/sync/push`, {
        method: 'POST',
        headers: { ...reading.as('bad'), 'content-type': 'application/json' },
        body,
      });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ statusCode: 400 });
    }
  });
});

describe("pull with an app's globals", () => {
  it('answers bare: neither validated, nor wrapped, nor filtered by them', async () => {
    const reading = await startReadingApp(testDatabase(__filename).uri, {
      configure: (app) => {
        app.setGlobalPrefix('api');
        app.enableCors({ origin: 'https://shop.example' });
        app.useGlobalPipes(
          new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }),
        );
        app.useGlobalInterceptors({
          intercept: (_context: ExecutionContext, next: CallHandler): Observable<unknown> =>
            next.handle().pipe(map((data: unknown) => ({ data, envelope: true }))),
        });
        app.useGlobalFilters({
          catch: (_error, host) => {
            host
              .switchToHttp()
              .getResponse<{ status(code: number): { json(body: unknown): void } }>()
              .status(418)
              .json({ teapot: true });
          },
        });
      },
    });
    try {
      await new SeededScope(reading.db, 'shop').write(someWrites(2));
      const get = (query: string): Promise<Response> =>
        fetch(`${reading.url}/api/sync/${query}`, { headers: reading.as('shop') });
      expect(await (await get('pull?unknown=1&limit=1')).json()).toMatchObject({ seq: 1, has_more: true });
      const refused = await get('pull?limit=x');
      expect(refused.status).toBe(400);
      expect(await refused.json()).toMatchObject({ code: 'invalid_limit', path: 'limit' });
      const full = await get('full');
      expect(full.headers.get('content-type')).toBe('application/x-ndjson');
      expect(full.headers.get('vary')).toBe('Origin, Accept-Encoding');
      expect((await full.text()).trim().split('\n')).toHaveLength(3);
    } finally {
      await reading.close();
    }
  });
});
