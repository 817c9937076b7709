import { SyncService, type AdminPage, type AdminRefused, type SyncAdminOptions } from 'nest-offline-sync';
import { Register } from '../../../libs/sync/src/register/register';
import { testDatabase } from '../../support/database';
import { identity, note, startOperatorApp, type OperatorApp } from '../../support/operator-app';
import { upTo } from '../../support/stream-client';

/** What the app's authorizer says, and whom it was asked about. */
let allows = true;
const asked: unknown[] = [];
const SYNC = {
  collections: [
    {
      ...({ name: 'notes', freeForm: true, ids: 'scoped' } as const),
      authorizer: ({ user }: { readonly user?: unknown }): boolean => {
        asked.push(user);
        return allows;
      },
    },
  ],
};
let running: OperatorApp | undefined;

async function start(admin: Partial<SyncAdminOptions>): Promise<OperatorApp> {
  running = await startOperatorApp(testDatabase(__filename).uri, { admin, sync: SYNC });
  return running;
}
beforeEach(() => {
  allows = true;
  asked.length = 0;
});
afterEach(() => running?.close());

async function refuse(app: OperatorApp, changes: readonly object[], more: object = {}): Promise<void> {
  allows = false;
  await app.app.get(SyncService).push(identity('cafe'), {
    ...{ client_id: 'phone', client_schema: 2, atomic: 'mutation', changes, ...more },
  });
  allows = true;
}

async function rows(app: OperatorApp, query = ''): Promise<readonly AdminRefused[]> {
  await app.app.get(Register, { strict: false }).flush();
  return (await app.read<AdminPage<AdminRefused>>(`refused${query}`)).rows;
}

const stored = (app: OperatorApp) => app.db.collection('notes').find().toArray();

describe('refused changes', () => {
  it('are shown with their code, without what was sent, and cannot be applied then', async () => {
    const app = await start({});
    await refuse(app, [note('secret-note', { text: 'my password' }, { mutation_id: 'm1' })]);
    const [row] = await rows(app);
    expect(row).toMatchObject({
      ...{ scope: 'cafe', actor: 'ann', client: 'phone', client_schema: '2', collection: 'notes' },
      ...{ doc_id: 'secret-note', operation: 'upsert', mutation_id: 'm1', code: 'forbidden', applied: null },
    });
    expect(row).not.toHaveProperty('change');
    const kept = await app.db.collection('sync_refused').find().toArray();
    expect(JSON.stringify(kept)).not.toContain('my password');
    const { status, body } = await app.post(`refused/${row?.id}/apply`);
    expect([status, body['code']]).toEqual([409, 'body_not_kept']);
  });

  it('can be applied again as they were sent, and are answered as a push is', async () => {
    const app = await start({
      refusedBodies: true,
      applyAs: ({ actorId }) => ({ user_id: actorId, is: 'found' }),
    });
    await refuse(app, [note('n1', { text: 'late' }, { mutation_id: 'm1', group: 'g' })]);
    const [row] = await rows(app);
    expect(row?.change).toEqual(note('n1', { text: 'late' }, { mutation_id: 'm1', group: 'g' }));
    asked.length = 0;
    const { status, body } = await app.post(`refused/${row?.id}/apply`);
    expect([status, body]).toMatchObject([200, { results: [{ doc_id: 'n1', status: 'accepted' }] }]);
    expect(asked[0]).toEqual({ user_id: 'ann', is: 'found' });
    expect(await stored(app)).toMatchObject([
      { text: 'late', _sync_scope_id: 'cafe', _sync_actor_id: 'ann' },
    ]);
    expect(await rows(app)).toMatchObject([{ id: row?.id, applied: { status: 'accepted', code: null } }]);
    const { changes } = (await app.app.get(SyncService).pull(identity('cafe'))) as unknown as {
      changes: { client_id: string }[];
    };
    expect(changes.map(({ client_id }) => client_id)).toEqual(['operator']);
  });

  it('are still refused where the app says so, as often as an operator tries', async () => {
    const app = await start({ refusedBodies: true });
    await refuse(app, [note('n1', {})]);
    const [row] = await rows(app);
    allows = false;
    for (const _ of upTo(2)) {
      const { status, body } = await app.post(`refused/${row?.id}/apply`);
      expect([status, body]).toMatchObject([200, { results: [{ status: 'rejected', code: 'forbidden' }] }]);
    }
    // No further row: no device has done anything.
    expect(await rows(app)).toMatchObject([{ applied: { status: 'rejected', code: 'forbidden' } }]);
    expect(await app.db.collection('sync_devices').distinct('_id.client')).toEqual(['phone']);
    allows = true;
    expect((await app.post(`refused/${row?.id}/apply`)).body).toMatchObject({
      results: [{ status: 'accepted' }],
    });
  });

  it('are applied once, however many operators press at the same time', async () => {
    const app = await start({ refusedBodies: true });
    await app.app
      .get(SyncService)
      .push(identity('cafe'), { client_id: 'c', changes: [note('shelf', { left: 10 })] });
    const sale = {
      collection: 'notes',
      operation: 'patch',
      doc_id: 'shelf',
      inc: { left: -1 },
      mutation_id: 'm',
    };
    await refuse(app, [sale]);
    const [row] = await rows(app);
    const answers = await Promise.all(upTo(5).map(() => app.post(`refused/${row?.id}/apply`)));
    for (const { status, body } of answers)
      expect([status, body]).toMatchObject([200, { results: [{ status: 'accepted' }] }]);
    expect(await stored(app)).toMatchObject([{ left: 9 }]);
  });

  it('stay out of a scope that the device may not use any more', async () => {
    let access: 'write' | 'none' = 'write';
    const scopes = { list: () => [], access: () => access };
    running = await startOperatorApp(testDatabase(__filename).uri, {
      admin: { refusedBodies: true },
      sync: { ...SYNC, scopes },
    });
    await refuse(running, [note('n1', {})], { scope: 'team' });
    const [row] = await rows(running, '?scope=team');
    access = 'none';
    const { status, body } = await running.post(`refused/${row?.id}/apply`);
    expect([status, body['code']]).toEqual([403, 'scope_forbidden']);
    expect(await stored(running)).toEqual([]);
    access = 'write';
    await running.post(`refused/${row?.id}/apply`);
    expect(await stored(running)).toMatchObject([{ _sync_scope_id: 'team', _sync_actor_id: 'ann' }]);
  });

  it('that only fell with another one, and retries, are no rows', async () => {
    const app = await start({});
    const sync = app.app.get(SyncService);
    const bad = {
      collection: 'notes',
      operation: 'upsert',
      doc_id: 'bad',
      data: { $a: 1 },
      mutation_id: 'b',
    };
    const push = { client_id: 'phone', atomic: 'batch', changes: [note('a', {}, { mutation_id: 'a' }), bad] };
    for (const _ of upTo(3)) await sync.push(identity('cafe'), push);
    const found = await rows(app);
    expect(new Set(found.map(({ doc_id, code }) => `${doc_id} ${code}`))).toEqual(
      new Set(['bad forbidden_key']),
    );
  });

  it('are kept as many as the app wants, the newest', async () => {
    const app = await start({ maxRefused: 3 });
    for (const n of upTo(5)) {
      await refuse(app, [note(`n${n}`, {})]);
      await rows(app);
    }
    expect((await rows(app)).map(({ doc_id }) => doc_id)).toEqual(['n5', 'n4', 'n3']);
    const first = await app.read<AdminPage<AdminRefused>>('refused?limit=2');
    expect(first.rows.map(({ doc_id }) => doc_id)).toEqual(['n5', 'n4']);
    const last = await app.read<AdminPage<AdminRefused>>(`refused?limit=2&cursor=${first.next}`);
    expect([last.rows.map(({ doc_id }) => doc_id), last.next]).toEqual([['n3'], null]);
    expect(await rows(app, '?scope=bike')).toEqual([]);
  });

  it.each<[string, number, string]>([
    ['refused/x/apply', 400, 'malformed_request'],
    ['refused/0123456789abcdef0123456/apply', 400, 'malformed_request'],
    ['refused/%00/apply', 400, 'malformed_request'],
    ['refused/0123456789abcdef01234567/apply', 404, 'not_found'],
  ])('POST %s is answered %i', async (path, expected, code) => {
    const app = await start({ refusedBodies: true });
    const { status, body } = await app.post(path);
    expect([status, body['code']]).toEqual([expected, code]);
  });
});
