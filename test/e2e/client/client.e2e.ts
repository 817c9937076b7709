import 'fake-indexeddb/auto';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { randomUUID } from 'node:crypto';
import {
  add,
  collection,
  createSyncClient,
  inc,
  memory,
  type ClientSocket,
  type ClientStorage,
  type LiveRows,
  type Observable,
  type Status,
  type SyncClient,
} from 'nest-offline-sync-client';
import { indexedDb } from 'nest-offline-sync-client/indexeddb';
import WebSocket from 'ws';
import { readEnvironment } from '../../../apps/demo/src/config/environment';
import { listen, portOf } from '../../../apps/demo/src/start/single';
import { testDatabase } from '../../support/database';
import { demoClient } from '../../support/demo-client';

/** The client against the demo as it is: HTTP, the socket, mongod. */

interface Task {
  title: string;
  done?: boolean;
  priority?: number;
  tags?: string[];
}
interface Order {
  number: string;
  status?: string;
}
const collections = {
  tasks: collection<Task>(),
  inventory_items: collection<{ name: string; price: string; quantity: number }>({ ids: 'objectid' }),
  orders: collection<Order>({ ids: 'objectid' }),
};
type Client = SyncClient<typeof collections>;

const database = testDatabase(__filename);
const environment = readEnvironment({ MONGODB_URI: database.uri, PORT: '0', LOG_LEVEL: 'error' });
let app: NestExpressApplication;
let url: string;
const clients: Client[] = [];

beforeAll(async () => {
  app = await listen(environment, true);
  url = `http://127.0.0.1:${String(portOf(app))}`;
});
afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await app.close();
});

/** The network of one device. */
interface Network {
  isUp: boolean;
  readonly sockets: Set<WebSocket>;
  cut(): void;
}

async function device(
  user: string,
  business: string,
  storage: ClientStorage,
  stream = true,
): Promise<{ client: Client; network: Network }> {
  const sockets = new Set<WebSocket>();
  const network: Network = {
    isUp: true,
    sockets,
    cut: () => {
      network.isUp = false;
      for (const socket of sockets) socket.terminate();
    },
  };
  const client: Client = createSyncClient({
    url: `${url}/sync`,
    app: randomUUID(),
    storage,
    stream,
    auth: {
      token: async () => (await demoClient(url, user, business)).token,
      identity: (claims) => ({ scope: String(claims['business_id']), actor: String(claims['user_id']) }),
    },
    collections,
    environment: {
      fetch: async (address, request) => {
        if (!network.isUp) throw new TypeError('no network');
        return fetch(address, request as RequestInit);
      },
      socket: (address) => {
        const socket = new WebSocket(address);
        if (!network.isUp) socket.terminate();
        sockets.add(socket);
        return socket as unknown as ClientSocket;
      },
    },
  });
  clients.push(client);
  await client.open();
  await once(client.status, ({ phase }) => phase === (stream ? 'live' : 'polling'));
  return { client, network };
}

/** The first value that fits, from now on. */
function once<T>(observable: Observable<T>, fits: (value: T) => boolean): Promise<T> {
  return new Promise((resolve) => {
    const look = (value: T): void => {
      if (!fits(value)) return;
      leave();
      resolve(value);
    };
    const leave = observable.subscribe(look);
    look(observable.current);
  });
}

const quiet = (client: Client): Promise<Status> =>
  once(client.status, ({ phase, pending }) => phase === 'live' && pending === 0);
const titles = ({ rows }: LiveRows<Task>): string[] => rows.map((row) => row.title);

describe.each([
  ['memory', memory],
  ['IndexedDB', indexedDb],
])('with its data in %s, the client', (_, storage) => {
  it('shows on one device what another one does, over the socket', async () => {
    const business = randomUUID();
    const [{ client: a }, { client: b }] = [
      await device('alice', business, storage()),
      await device('bob', business, storage()),
    ];
    const live = b.db.tasks.live({ where: { done: false }, orderBy: 'title' });
    live.subscribe(() => undefined);

    const { id, mutation } = await a.db.tasks.create({ title: 'Milk', done: false });
    await a.db.tasks.create({ title: 'Bread', done: false });
    expect(await a.settled(mutation!)).toMatchObject({ status: 'accepted' });
    await once(live, (now) => titles(now).join() === 'Bread,Milk');

    await a.db.tasks.patch(id, { done: true });
    await once(live, (now) => titles(now).join() === 'Bread');
    expect((await b.db.tasks.get(id))?.done).toBe(true);
  });

  it('brings offline edits of two devices together, field by field', async () => {
    const business = randomUUID();
    const { client: a, network } = await device('alice', business, storage());
    const { client: b } = await device('bob', business, storage());
    const { id } = await a.db.tasks.create({ title: 'Milk', done: false, priority: 1, tags: ['shop'] });
    await once(b.db.tasks.live(), ({ rows }) => rows.length === 1);

    network.cut();
    await once(a.status, ({ phase }) => phase === 'offline');
    await a.db.tasks.patch(id, { title: 'Oat milk', tags: add('vegan') });
    await a.db.tasks.patch(id, { priority: inc(1) });
    const offline = await a.db.tasks.create({ title: 'Made offline', done: false });
    expect(a.status.current).toMatchObject({ phase: 'offline' });
    expect((await a.db.tasks.get(id))?.title).toBe('Oat milk');
    await b.db.tasks.patch(id, { done: true, tags: add('today'), priority: inc(2) });
    await quiet(b);

    network.isUp = true;
    await a.flush({ timeoutMs: 30_000 });
    await quiet(a);
    // The counter goes in a push of its own, behind the others.
    for (const where of [{ title: 'Made offline' }, { title: 'Oat milk', priority: 4 }])
      await once(b.db.tasks.live({ where }), ({ rows }) => rows.length === 1);
    const [ofA, ofB] = [await a.db.tasks.get(id), await b.db.tasks.get(id)];
    expect(ofA).toEqual(ofB);
    expect(ofA).toMatchObject({ title: 'Oat milk', done: true, priority: 4 });
    expect([...(ofA?.tags ?? [])].sort()).toEqual(['shop', 'today', 'vegan']);
    expect((await b.db.tasks.get(offline.id))?.title).toBe('Made offline');
  });

  it('keeps what the server refuses for the user, and takes it again in other words', async () => {
    const { client } = await device('alice', randomUUID(), storage());
    const bad = await client.db.tasks.create({ title: 'Too urgent', priority: 99 });
    const good = await client.db.tasks.create({ title: 'Fine', priority: 2 });
    expect(await client.settled(bad.mutation!)).toMatchObject({
      status: 'rejected',
      entry: { code: 'validation_failed' },
    });
    expect(await client.settled(good.mutation!)).toMatchObject({ status: 'accepted' });
    expect(await client.db.tasks.get(bad.id)).toBeUndefined();

    const [entry] = await client.rejected.list();
    expect(entry).toMatchObject({ changes: [{ mine: { title: 'Too urgent', priority: 99 } }] });
    await client.rejected.retry(entry!.id, { title: 'Urgent', priority: 5 });
    await quiet(client);
    expect(await client.rejected.list()).toEqual([]);
    expect(await client.db.tasks.get(bad.id)).toMatchObject({ title: 'Urgent', priority: 5 });
  });

  it('takes a transaction as a whole, or not at all', async () => {
    const business = randomUUID();
    const { client: a } = await device('alice', business, storage());
    const { id } = await a.db.inventory_items.create({ name: 'Bell', price: '3.20', quantity: 5 });
    await quiet(a);
    await a.transaction(async ({ inventory_items, tasks }) => {
      await inventory_items.patch(id, { quantity: inc(-1) });
      await tasks.create({ _id: `pack-${business}`, title: 'Pack' });
    });
    await a.transaction(async ({ inventory_items, tasks }) => {
      await inventory_items.patch(id, { quantity: inc(-1) });
      await tasks.create({ _id: `bad-${business}`, title: 'Pack', priority: 99 });
    });
    await quiet(a);
    expect((await a.db.inventory_items.get(id))?.quantity).toBe(4);
    expect(await a.rejected.list()).toMatchObject([{ transaction: true, changes: [{}, {}] }]);
  });
});

it('does the same without a socket, and as a single task in the background', async () => {
  const business = randomUUID();
  const { client: a } = await device('alice', business, memory(), false);
  const { client: b } = await device('bob', business, memory(), false);
  await a.db.tasks.create({ title: 'Milk' });
  expect(await a.flush()).toBe(true);
  await b.pause();
  expect(await b.syncOnce()).toBe(true);
  expect(b.status.current.phase).toBe('paused');
  expect(await b.db.tasks.find()).toMatchObject([{ title: 'Milk' }]);
});

it('keeps the data of two users of a device apart', async () => {
  const storage = memory();
  let user = 'alice';
  const business = randomUUID();
  const client = createSyncClient({
    url: `${url}/sync`,
    storage,
    stream: false,
    auth: {
      token: async () => (await demoClient(url, user, `${business}-${user}`)).token,
      identity: (claims) => ({ scope: String(claims['business_id']), actor: String(claims['user_id']) }),
    },
    collections,
  });
  clients.push(client);
  await client.open();
  await client.db.tasks.create({ title: 'Of Alice' });
  await client.flush();
  await client.pause();
  await client.db.tasks.create({ title: 'Not sent' });
  await expect(client.logout()).rejects.toMatchObject({ code: 'unsent_changes', count: 1 });
  await client.logout({ unsent: 'keep' });

  user = 'bob';
  await client.resume();
  await client.open();
  await once(client.status, ({ phase }) => phase === 'polling');
  expect(await client.db.tasks.find()).toEqual([]);
  await client.logout();

  user = 'alice';
  await client.open();
  expect(await client.flush()).toBe(true);
  await once(client.status, ({ phase }) => phase === 'polling');
  expect((await client.db.tasks.find({ orderBy: 'title' })).map((row) => row.title)).toEqual([
    'Not sent',
    'Of Alice',
  ]);
});
