import { AwaitPoints } from '../../../test/support/await-points.ts';
import '../../../test/support/runs.ts';
import { claimsOf } from './auth.ts';
import type { ClientSocket, Fetch } from './environment.ts';
import { collection, createSyncClient, inc, memory, type LogoutOptions } from './index.ts';
import { FakeServer, FaultyNetwork, VirtualTime } from './testing/index.ts';

/** C8: two users of one device never meet, at whatever moment the one leaves and the other one comes. */

interface Note {
  text?: string;
  n?: number;
}
type User = 'ann' | 'bob';
type Unsent = NonNullable<LogoutOptions['unsent']>;
const other = { ann: 'bob', bob: 'ann' } as const;
/** How often ann has added 1, as far as she was told that it is kept. */
const COUNTER = 'ann-counter';

class Device {
  readonly time = new VirtualTime();
  readonly server = new FakeServer({ collections: ['notes'], now: () => this.time.now, pageSize: 2 });
  readonly network = new FaultyNetwork(this.server);
  readonly points = new AwaitPoints();
  readonly disk = memory();
  /** Whom the app holds for the user: from the answer of `logout` on it is the next one. */
  user: User | undefined = 'ann';
  readonly problems: string[] = [];
  counted = 0;
  private isLeaving = false;

  readonly client = createSyncClient({
    url: 'https://notes.example/sync',
    storage: this.points.storage(this.disk),
    auth: { token: () => this.points.around(async () => this.token()) },
    collections: { notes: collection<Note>() },
    environment: {
      ...this.time.environment(),
      fetch: this.points.fetch((url, request) => this.fetch(url, request)),
      socket: this.points.socket((url) => this.socket(url)),
    },
  });

  constructor() {
    for (const user of ['ann', 'bob'])
      for (const n of [1, 2, 3]) this.server.edit(user, 'notes', `${user}-${n}`, { text: `${user} ${n}` });
    this.server.edit('ann', 'notes', COUNTER, { n: 0, text: 'ann counts' });
    this.server.refuses = ({ data }) =>
      (data as Note | undefined)?.text?.includes('bad') ? 'validation_failed' : undefined;
    this.client.db.notes.live().subscribe(({ rows }) => this.sees('a query', rows));
    this.client.rejected.live().subscribe((entries) => this.sees('the quarantine', entries));
  }

  /** What ann does, from the start of the app on. It stops when she leaves. */
  async ann(): Promise<void> {
    const { client } = this;
    const does = async (call: () => Promise<unknown>, counts = 0): Promise<void> => {
      if (this.isLeaving) return;
      try {
        await call();
        this.counted += counts;
      } catch (error) {
        // An edit that came too late is refused, and told so.
        const { code } = error as { code?: string };
        if (!['usage', 'storage_lost', 'document_missing', 'auth'].includes(code ?? '')) throw error;
      }
    };
    const adds = () => client.db.notes.patch(COUNTER, { n: inc(1) });
    await does(() => client.open());
    await does(() => this.time.pass(1_000));
    await does(adds, 1);
    this.network.next('drop');
    await does(() => client.db.notes.create({ text: 'ann makes' }));
    await does(adds, 1);
    await does(() => client.db.notes.create({ text: 'ann is bad' }));
    await does(
      () =>
        client.transaction(async ({ notes }) => {
          await notes.patch(COUNTER, { n: inc(1) });
          await notes.create({ text: 'ann makes two' });
        }),
      1,
    );
    this.server.edit('ann', 'notes', 'ann-1', { text: 'ann elsewhere' });
    await does(adds, 1);
    await does(() => client.flush());
    await does(() => client.syncOnce());
  }

  /** The user leaves in the way that is asked for, and the other one comes. */
  async change(unsent: Unsent): Promise<void> {
    const { client } = this;
    this.isLeaving = true;
    const leaving = this.user as User;
    try {
      await client.logout({ unsent, timeoutMs: 3_000 });
    } catch (error) {
      if ((error as { code?: string }).code !== 'unsent_changes') throw error;
      await client.logout({ unsent: 'keep' });
    }
    this.user = undefined;
    this.expectGone(leaving);
    this.user = other[leaving];
    await client.open();
  }

  /** All that waits for time has time. */
  async until(work: Promise<unknown>): Promise<void> {
    const state = { isOver: false, error: undefined as unknown };
    work.then(
      () => (state.isOver = true),
      (error: unknown) => Object.assign(state, { isOver: true, error }),
    );
    for (let step = 0; step < 400 && !state.isOver; step++) await this.time.pass(100);
    if (state.error !== undefined) throw state.error as Error;
    if (!state.isOver) this.problems.push('It hangs.');
  }

  /** What each database holds, by its owner, as text. */
  async databases(): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    const registry = await this.disk.open('app.clients');
    const names = await registry.transaction('read', ['meta'], ({ meta }) => meta.range());
    await registry.close();
    const owners = new Map(names.map(([key, value]) => [(value as { name?: string }).name, key]));
    for (const name of await this.disk.list()) {
      if (name === 'app.clients') continue;
      const database = await this.disk.open(name);
      const all = await database.transaction(
        'read',
        ['base', 'view', 'outbox', 'rejected', 'meta'],
        async ({ base, view, outbox, rejected, meta }) => [
          await base.scan('notes'),
          await view.scan('notes'),
          ...(await Promise.all([outbox.range(), rejected.range(), meta.range()])),
        ],
      );
      await database.close();
      found.set(owners.get(name)?.includes('"ann"') ? 'ann' : 'bob', JSON.stringify(all));
    }
    return found;
  }

  private token(): string {
    if (!this.user) throw new Error('nobody is signed in');
    return this.server.token(this.user);
  }

  private expectGone(user: User): void {
    const { phase, pending } = this.client.status.current;
    if (phase !== 'closed' || pending > 0) this.problems.push(`The status is ${phase} after a logout.`);
    if (this.client.rejected.live().current.length > 0)
      this.problems.push(`Entries of ${user} are shown after a logout.`);
  }

  private sees(where: string, what: unknown): void {
    const text = JSON.stringify(what);
    for (const user of ['ann', 'bob'] as const)
      if (text.includes(user) && this.user !== user)
        this.problems.push(`${this.user ?? 'Nobody'} sees what is of ${user}, in ${where}: ${text}`);
  }

  /** What goes with a token has to be of its user. */
  private sends(token: string, said: string): void {
    const user = claimsOf(token)?.['user_id'] as User;
    if (said.includes(other[user])) this.problems.push(`With the token of ${user} went: ${said}`);
  }

  private fetch: Fetch = (url, request) => {
    const token = (request.headers['authorization'] ?? '').replace('Bearer ', '');
    this.sends(token, `${url} ${request.body ?? ''}`);
    return this.network.fetch(url, request);
  };

  private socket(url: string): ClientSocket {
    const socket = this.network.socket(url);
    const send = socket.send.bind(socket);
    let token = '';
    socket.send = (text) => {
      const { token: given = token, ...said } = JSON.parse(text) as { token?: string };
      if (token !== '' && claimsOf(given)?.['user_id'] !== claimsOf(token)?.['user_id'])
        this.problems.push('A socket has had two users.');
      token = given;
      this.sends(token, JSON.stringify(said));
      send(text);
    };
    return socket;
  }
}

/** @returns whether the point was reached */
async function run(unsent: Unsent, point: number, holds: boolean): Promise<boolean> {
  const device = new Device();
  const { client, points, server, time } = device;
  let change: Promise<void> | undefined;
  points.at(
    point,
    () => {
      change = device.change(unsent);
    },
    holds,
  );
  await device.until(device.ann());
  const hasCome = points.end();
  // Beyond the last point she leaves in peace.
  change ??= device.change(unsent);
  await device.until(change);
  expect(client.status.current.pending).toBe(0);
  await time.pass(5_000);
  await client.db.notes.create({ text: 'bob makes' });
  await time.pass(2_000);
  const seen = (await client.db.notes.find()).map(({ text }) => text);
  expect(seen.sort()).toEqual(['bob 1', 'bob 2', 'bob 3', 'bob makes']);
  const databases = await device.databases();
  for (const [user, text] of databases)
    if (text.includes(other[user as User]))
      device.problems.push(`In the database of ${user} is what is of the other one.`);
  if (unsent === 'discard') expect(databases.get('ann')).toBeUndefined();
  await device.until(device.change('keep'));
  await time.pass(120_000);
  expect(client.status.current).toMatchObject({ phase: 'live', pending: 0 });
  expect(device.problems).toEqual([]);
  // Each addition that was promised has taken effect once, though answers were lost and she left in between.
  const count = server.document('ann', 'notes', COUNTER)?.data?.['n'];
  if (unsent === 'discard') expect(count).toBeLessThanOrEqual(4);
  else expect([unsent, count]).toEqual([unsent, device.counted]);
  await client.close();
  return hasCome;
}

/** Each way of leaving has other points; `FC_RUNS=1 npx jest …` tries all of them. */
const STRIDE = process.env['FC_RUNS'] ? 1 : 13;
const WAYS = ['refuse', 'flush', 'keep', 'discard'] as const;

describe.each([false, true])('what is waited for comes late: %s', (holds) => {
  it.each(WAYS)('keeps two users apart at every await, unsent: %s', async (unsent) => {
    let point = 1 + ((WAYS.indexOf(unsent) * 7 + (holds ? 3 : 0)) % STRIDE);
    for (let hasCome = true; hasCome; point += STRIDE) {
      try {
        hasCome = await run(unsent, point, holds);
      } catch (error) {
        throw new Error(`Point ${String(point)}.`, { cause: error });
      }
    }
    expect(point).toBeGreaterThan(100);
  });
});

describe('a token of somebody else', () => {
  it('is not used for the data of this user, however the app came to give it', async () => {
    const device = new Device();
    const { client, server, time, problems } = device;
    await device.until(client.open());
    await time.pass(1_000);
    device.user = 'bob';
    await client.db.notes.create({ text: 'ann makes' });
    server.requests.length = 0;
    server.closeSockets(4401);
    await time.pass(120_000);
    expect(client.status.current).toMatchObject({ phase: 'blocked', blockedBy: 'auth' });
    expect(server.requests).toEqual([]);
    device.user = 'ann';
    await time.pass(120_000);
    expect(client.status.current).toMatchObject({ phase: 'live', pending: 0, rejected: 0 });
    expect(problems.filter((each) => each.startsWith('With'))).toEqual([]);
    await client.close();
  });

  it('tells by the answer whose it is: nothing of that is kept', async () => {
    const device = new Device();
    const { client, server, time, network } = device;
    await device.until(client.open());
    await time.pass(1_000);
    await client.pause();
    // A session at a gateway, say, that has changed hands: the token is the same.
    const sound = network.fetch;
    const bobs = server.token('bob');
    Object.assign(network, {
      fetch: ((url, request) =>
        sound(url.replace(/&?expected_identity=[^&]*/, ''), {
          ...request,
          headers: { ...request.headers, authorization: `Bearer ${bobs}` },
        })) satisfies Fetch,
    });
    await client.resume();
    await time.pass(60_000);
    expect(client.status.current).toMatchObject({ phase: 'blocked', blockedBy: 'identity' });
    expect(JSON.stringify([...(await device.databases()).values()])).not.toContain('bob');
    await client.close();
  });
});
