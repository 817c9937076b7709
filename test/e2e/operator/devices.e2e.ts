import { SyncService, type AdminDevice, type AdminPage } from 'nest-offline-sync';
import { Register } from '../../../libs/sync/src/register/register';
import { TrimmingService } from '../../../libs/sync/src/retention/trimming';
import { FixedWallClock } from '../../../libs/sync/src/testing';
import { testDatabase } from '../../support/database';
import { bearer, identity, note, startOperatorApp, type OperatorApp } from '../../support/operator-app';
import { StreamClient, upTo } from '../../support/stream-client';

const database = testDatabase(__filename);
const clock = new FixedWallClock(Date.now());
const SYNC = { oplogMaxEntries: 5, trimGraceMs: 0 };
let one: OperatorApp;
let two: OperatorApp;
const open: StreamClient[] = [];

/** Devices that were written, by the commands that the client has sent. */
const written: string[] = [];

beforeAll(async () => {
  [one, two] = await Promise.all([
    startOperatorApp(database.uri, { clock, sync: SYNC, monitored: true }),
    startOperatorApp(database.uri, { clock, sync: SYNC, monitored: true }),
  ]);
  for (const { client } of [one, two])
    client.on('commandStarted', ({ command }) => {
      if (command['update'] !== 'sync_devices') return;
      const { updates } = command as { updates: { q: { _id: { client: string } } }[] };
      written.push(...updates.map(({ q }) => q._id.client));
    });
});
afterEach(() => {
  for (const client of open.splice(0)) client.socket.terminate();
});
afterAll(() => Promise.all([one.close(), two.close()]));

async function push(app: OperatorApp, scope: string, client: string, docs: readonly string[]): Promise<void> {
  const answer = await fetch(`${app.url}/sync/push`, {
    method: 'POST',
    headers: { ...bearer(scope), 'content-type': 'application/json' },
    body: JSON.stringify({
      client_id: client,
      client_schema: 7,
      changes: docs.map((id) => note(id, { id })),
    }),
  });
  expect(answer.status).toBe(200);
}

async function pull(app: OperatorApp, scope: string, query: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`${app.url}/sync/pull?${query}`, { headers: bearer(scope) });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, unknown>;
}

async function listen(app: OperatorApp, scope: string, more: object): Promise<StreamClient> {
  const client = await StreamClient.open(`${app.url.replace('http', 'ws')}/sync/stream`, {
    headers: bearer(scope),
  });
  open.push(client);
  client.say({ type: 'subscribe', ack: true, ...more });
  await client.until('subscribed');
  return client;
}

const flush = (app: OperatorApp): Promise<void> => app.app.get(Register, { strict: false }).flush();

async function devicesOf(scope: string, app = one): Promise<readonly AdminDevice[]> {
  await flush(app);
  return (await app.read<AdminPage<AdminDevice>>(`devices?scope=${scope}`)).rows;
}

describe('devices', () => {
  it('are known by their pushes, pulls and sockets', async () => {
    await push(one, 'known', 'pusher', ['a', 'b']);
    const { last_seq } = await pull(one, 'known', 'client_id=puller&limit=1&client_schema=3');
    await listen(one, 'known', { client_id: 'listener', since_seq: 2 });
    await pull(one, 'known', '');
    const rows = await devicesOf('known');
    const of = (client: string | null) => rows.find((row) => row.client === client);
    expect(rows).toHaveLength(4);
    const at = new Date(clock.now()).toISOString();
    expect(of('pusher')).toMatchObject({
      ...{ scope: 'known', actor: 'ann', client_schema: '7', push_at: at, pull_at: null, socket_at: null },
      scopes: [{ scope: 'known', seq: null, behind: null, will_reload: null }],
    });
    expect(of('puller')).toMatchObject({
      ...{ client_schema: '3', push_at: null, pull_at: at, will_reload: false },
      scopes: [{ version: last_seq, seq: 1, behind: 1 }],
    });
    expect(of('listener')).toMatchObject({ socket_at: at, scopes: [{ seq: 2, behind: 0, behind_ms: 0 }] });
    expect(of(null)).toMatchObject({ pull_at: at, scopes: [{ seq: 2, behind: 0 }] });
  });

  it('are written once a minute at most, whatever they do', async () => {
    const before = (): number => written.filter((client) => client === 'busy').length;
    const work = async (): Promise<void> => {
      await push(one, 'busy', 'busy', [`${clock.now()}`]);
      for (const _ of upTo(5)) await pull(one, 'busy', 'client_id=busy');
      await flush(one);
    };
    await work();
    expect(before()).toBe(1);
    for (const _ of upTo(59)) {
      clock.advance(1_000);
      if (_ % 20 === 0) await work();
      await flush(one);
    }
    expect(before()).toBe(1);
    clock.advance(1_000);
    await flush(one);
    expect(before()).toBe(2);
    const [row] = await devicesOf('busy');
    // The last that was done, though nothing was written when it was done.
    expect(row?.pull_at).toBe(new Date(clock.now() - 20_000).toISOString());
    clock.advance(600_000);
    await flush(one);
    expect(before()).toBe(2);
  });

  it('with an open socket stay known while they are quiet', async () => {
    const quiet = await startOperatorApp(database.uri, { clock, sync: { ...SYNC, pingIntervalMs: 1_000 } });
    try {
      const client = await listen(quiet, 'quiet', { client_id: 'quiet' });
      await flush(quiet);
      clock.advance(300_000);
      const pings = client.ofType('ping').length;
      await client.until('ping', pings + 1);
      expect((await devicesOf('quiet', quiet))[0]?.socket_at).toBe(new Date(clock.now()).toISOString());
    } finally {
      await quiet.close();
    }
  });

  it('of all processes are seen in each', async () => {
    await push(one, 'shared', 'phone', ['a']);
    await flush(one);
    await pull(two, 'shared', 'client_id=phone');
    await flush(two);
    for (const app of [one, two]) {
      const { rows } = await app.read<AdminPage<AdminDevice>>('devices?scope=shared');
      expect(rows).toMatchObject([
        { client: 'phone', push_at: expect.any(String), pull_at: expect.any(String) },
      ]);
    }
  });

  it('that stand below the floor will reload', async () => {
    await push(one, 'old', 'writer', ['a']);
    await pull(one, 'old', 'client_id=left-behind');
    await push(one, 'old', 'writer', ['b', 'c', 'd', 'e', 'f', 'g', 'h']);
    await pull(one, 'old', 'client_id=diligent');
    const judge = async (): Promise<object> =>
      Object.fromEntries((await devicesOf('old')).map(({ client, will_reload }) => [client, will_reload]));
    expect(await judge()).toEqual({ writer: false, 'left-behind': false, diligent: false });
    await one.app.get(TrimmingService, { strict: false }).runOnce();
    expect(await judge()).toEqual({ writer: false, 'left-behind': true, diligent: false });
    await pull(one, 'old', 'client_id=diligent&since_seq=8');
    clock.advance(31 * 86_400_000);
    // Nobody knows what the writer has; it was silent for longer than the log is kept.
    expect(await judge()).toEqual({ writer: true, 'left-behind': true, diligent: false });
  });

  it('are listed page by page, those first that were seen last', async () => {
    const names = upTo(7).map((n) => `d${n}`);
    for (const name of names) {
      clock.advance(name === 'd4' ? 0 : 10);
      await pull(one, 'many', `client_id=${name}`);
    }
    await flush(one);
    const seen: (string | null)[] = [];
    for (let next: string | null = ''; next !== null;) {
      const page: AdminPage<AdminDevice> = await one.read(`devices?scope=many&limit=3&cursor=${next}`);
      seen.push(...page.rows.map(({ client }) => client));
      next = page.next;
    }
    expect(seen).toEqual(names.toReversed());
  });

  it('are told apart whatever is in their names, and never get into a query', async () => {
    await one.app.get(SyncService).push(identity('odd', '{"$gt":""}'), {
      client_id: '$where.a',
      changes: [note('a', {})],
    });
    expect(await devicesOf('odd')).toMatchObject([{ actor: '{"$gt":""}', client: '$where.a' }]);
  });

  it.each(['WzEsIm5vIl0', 'WzEsIntcInNjb3BlXCI6e319Il0', 'W251bGwsInt9Il0', 'W10'])(
    'are not listed from the cursor %s',
    async (cursor) => {
      const { status, body } = await one.get(`devices?cursor=${cursor}`);
      expect([status, body['code']]).toEqual([400, 'invalid_cursor']);
    },
  );
});

describe('what is noted', () => {
  it('never fails a request when the database does not take it', async () => {
    await one.db.collection('sync_devices').deleteMany({});
    await one.db.command({ collMod: 'sync_devices', validator: { never: { $exists: true } } });
    await push(one, 'failing', 'phone', ['a']);
    await flush(one);
    await pull(one, 'failing', 'client_id=phone');
    expect(await devicesOf('failing')).toEqual([]);
    await one.db.command({ collMod: 'sync_devices', validator: {} });
    clock.advance(60_000);
    await pull(one, 'failing', 'client_id=phone');
    expect(await devicesOf('failing')).toMatchObject([{ client: 'phone' }]);
  });

  it('expires by itself', async () => {
    const expiry = async (name: string): Promise<unknown> =>
      (await one.db.collection(name).indexes()).map(({ expireAfterSeconds }) => expireAfterSeconds);
    expect(await expiry('sync_devices')).toEqual([undefined, 90 * 86_400]);
    expect(await expiry('sync_refused')).toEqual([undefined, 30 * 86_400]);
    const other = await startOperatorApp(database.uri, { sync: SYNC, admin: { deviceDays: 7 } });
    await other.close();
    expect(await expiry('sync_devices')).toEqual([undefined, 7 * 86_400]);
  });
});
