import { SyncService } from 'nest-offline-sync';
import { OperatorService } from '../../../libs/sync/src/operator/operator.service';
import { TrimmingService } from '../../../libs/sync/src/retention/trimming';
import type { AdminPage, AdminScope, AdminStatus } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { identity, note, startOperatorApp, type OperatorApp } from '../../support/operator-app';
import { upTo } from '../../support/stream-client';

const SCOPES = ['a/b?c', 'bike', 'café', 'z'];
let it_: OperatorApp;

beforeAll(async () => {
  it_ = await startOperatorApp(testDatabase(__filename).uri, {
    sync: { oplogMaxEntries: 2, trimGraceMs: 0 },
  });
  const sync = it_.app.get(SyncService);
  for (const scope of SCOPES)
    for (const round of [1, 2, 3, 4])
      await sync.push(identity(scope), { client_id: 'c', changes: [note(`n${round}`, { round })] });
});
afterAll(() => it_.close());

describe('scopes', () => {
  it('are listed page by page, each once', async () => {
    const seen: AdminScope[] = [];
    let query = 'scopes?limit=3';
    for (let pages = 1; ; pages += 1) {
      const { rows, next } = await it_.read<AdminPage<AdminScope>>(query);
      seen.push(...rows);
      if (next === null) {
        expect(pages).toBe(2);
        break;
      }
      query = `scopes?limit=3&cursor=${next}`;
    }
    expect(seen.map(({ scope }) => scope)).toEqual([...SCOPES].sort());
    for (const row of seen)
      expect(row).toMatchObject({ seq: 4, floor_seq: 0, entries: 4, waiting: 0, head: expect.any(String) });
  });

  it('are found one by one, whatever is in their names', async () => {
    for (const scope of SCOPES)
      expect(await it_.read<AdminScope>(`scopes/${encodeURIComponent(scope)}`)).toMatchObject({
        scope,
        seq: 4,
      });
    expect(await it_.read('scopes?scope=bike')).toMatchObject({ rows: [{ scope: 'bike' }], next: null });
    const { status, body } = await it_.get('scopes/nobody');
    expect([status, body['code']]).toEqual([404, 'not_found']);
  });

  it('show their floor and what waits for its deletion once the log is trimmed', async () => {
    await it_.app.get(TrimmingService, { strict: false }).runOnce();
    expect(await it_.read<AdminScope>('scopes/bike')).toMatchObject({ seq: 4, floor_seq: 2, entries: 2 });
  });
});

describe('status', () => {
  it('says how the parts of the engine do', async () => {
    const status = await it_.read<AdminStatus>('status');
    expect(status).toMatchObject({
      versions: { wire: expect.any(Number), node: process.version },
      health: { status: 'up' },
      change_stream: { alive: true, reopened: 0 },
      trimming: { interval_ms: 0, max_entries: 2, lease: { held: true, here: true } },
      capture: null,
      register: { devices: 4, left_out: 0 },
      database: { missing: [], scopes: 4 },
    });
    expect(status.database.collections.map(({ collection }) => collection)).toContain('sync_heads');
  });
});

describe('verify', () => {
  it('compares, and writes nothing', async () => {
    await it_.db
      .collection('notes')
      .updateOne({ _sync_scope_id: 'bike', round: 4 }, { $set: { round: 'other' } });
    const { status, body } = await it_.post('verify', { collections: ['notes'] });
    expect([status, body]).toMatchObject([
      200,
      { finished: true, report: { scopes: 4, differences: 1, left: 1 } },
    ]);
    expect((await it_.post('verify')).body).toMatchObject({ report: { differences: 1 } });
    expect((await it_.post('verify', { scope: 'z' })).body).toMatchObject({
      report: { scopes: 1, differences: 0 },
    });
  });

  it('is one run at a time', async () => {
    const operator = it_.app.get(OperatorService, { strict: false });
    const first = operator.verify({}, 60_000);
    await expect(operator.verify({}, 60_000)).rejects.toMatchObject({ code: 'busy', retryAfterSeconds: 60 });
    expect(await first).toMatchObject({ finished: true });
    expect(await operator.verify({}, 60_000)).toMatchObject({ finished: true });
  });

  it('ends in its time, and says how far it came', async () => {
    const short = await startOperatorApp(testDatabase(__filename).uri, { admin: { verifyTimeoutMs: 1 } });
    try {
      const sync = short.app.get(SyncService);
      for (const n of upTo(40))
        await sync.push(identity(`s${n}`), { client_id: 'c', changes: [note('n', {})] });
      const { status, body } = await short.post('verify');
      expect([status, body]).toMatchObject([200, { finished: false, progress: { differences: 0 } }]);
    } finally {
      await short.close();
    }
  });
});

describe('bad input', () => {
  it.each<[string, number, string]>([
    ['scopes?limit=0', 400, 'invalid_limit'],
    ['scopes?limit=201', 400, 'invalid_limit'],
    ['scopes?limit=x', 400, 'invalid_limit'],
    ['scopes?cursor=%21', 400, 'invalid_cursor'],
    ['scopes?cursor=WzFd', 400, 'invalid_cursor'],
    ['scopes?cursor=e30', 400, 'invalid_cursor'],
    ['scopes?cursor=a&cursor=b', 400, 'malformed_request'],
    ['scopes?scope=', 400, 'malformed_request'],
    ['scopes?scope[$ne]=x', 200, ''],
    ['scopes/%00', 400, 'malformed_request'],
    [`scopes/${'x'.repeat(300)}`, 400, 'malformed_request'],
  ])('GET %s is answered %i %s', async (path, expected, code) => {
    const { status, body } = await it_.get(path);
    expect([status, body['code'] ?? '']).toEqual([expected, code]);
  });

  it.each<[unknown, string]>([
    [{ limit: 0 }, 'invalid_limit'],
    [{ limit: 1001 }, 'invalid_limit'],
    [{ collections: [1] }, 'malformed_request'],
    [{ collections: ['nobody'] }, 'unknown_collection'],
    [{ scope: 7 }, 'malformed_request'],
    [[1], 'malformed_request'],
  ])('POST verify %j is %s', async (given, code) => {
    const { status, body } = await it_.post('verify', given);
    expect([status, body['code']]).toEqual([400, code]);
  });
});
