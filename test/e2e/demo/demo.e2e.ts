import type { NestExpressApplication } from '@nestjs/platform-express';
import { once } from 'node:events';
import { randomBytes, randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import { readEnvironment } from '../../../apps/demo/src/config/environment';
import { listen, portOf } from '../../../apps/demo/src/start/single';
import { demoClient, type DemoClient } from '../../support/demo-client';
import { testDatabase } from '../../support/database';

const database = testDatabase(__filename);
const environment = readEnvironment({ MONGODB_URI: database.uri, PORT: '0', LOG_LEVEL: 'error' });
let app: NestExpressApplication;
let url: string;
let cafe: DemoClient;
let bikes: DemoClient;

beforeAll(async () => {
  app = await listen(environment, true);
  url = `http://127.0.0.1:${String(portOf(app))}`;
  cafe = await demoClient(url, 'alice', 'corner-cafe');
  bikes = await demoClient(url, 'bob', 'bike-shop');
});
afterAll(async () => {
  await app.close();
});

describe('sync routes of the demo', () => {
  it('take the push of the original’s README, and give it back to another device', async () => {
    const pushed = {
      collection: 'tasks',
      operation: 'upsert',
      doc_id: 'task-abc-123',
      data: { title: 'Acquire inventory', done: false },
      parent_version: '20260502T120000.000Z-0001-a1b2',
    };
    const [result] = await cafe.push(pushed);
    expect(result).toMatchObject({ doc_id: 'task-abc-123', status: 'accepted' });

    const { changes } = await cafe.pull('collections=tasks');
    expect(changes.at(-1)).toMatchObject({
      version: result?.new_version,
      doc_id: 'task-abc-123',
      operation: 'upsert',
      data: { title: 'Acquire inventory', done: false },
    });
  });

  it('accept every example document as a device would send it back', async () => {
    for (const client of [cafe, bikes]) {
      const { changes } = await client.pull('limit=1000');
      const back = changes
        .filter(({ doc_id }) => doc_id !== 'task-abc-123')
        .map(({ collection, doc_id, data, version }) => ({
          collection,
          doc_id,
          data,
          operation: 'upsert',
          parent_version: version,
        }));
      expect(new Set(back.map(({ collection }) => collection)).size).toBe(7);
      const results = await client.push(...back);
      expect(results.filter(({ status }) => status !== 'accepted')).toEqual([]);
    }
  });

  it('keep two businesses apart, also where both have a note of one name', async () => {
    const [ours, theirs] = await Promise.all([
      cafe.pull('collections=notes'),
      bikes.pull('collections=notes'),
    ]);
    expect([ours.changes[0]?.doc_id, theirs.changes[0]?.doc_id]).toEqual(['settings', 'settings']);
    expect([ours.changes[0]?.data?.['opens'], theirs.changes[0]?.data?.['opens']]).toEqual([
      '07:30',
      '09:00',
    ]);
  });

  it('refuse a field that the DTO does not know, and say which', async () => {
    const [result] = await cafe.push({
      collection: 'tasks',
      operation: 'upsert',
      doc_id: randomUUID(),
      data: { title: 'x', owner: 'y' },
    });
    expect(result).toMatchObject({ status: 'rejected', code: 'unknown_field' });
    expect(result?.error).toContain('owner');
  });

  it('let nobody delete a sale', async () => {
    const doc_id = randomUUID();
    const data = { soldAt: new Date(0).toISOString(), till: 'till-1', total: '4.20', paidBy: 'cash' };
    const [sold] = await cafe.push({ collection: 'sales', operation: 'upsert', doc_id, data });
    expect(sold?.status).toBe('accepted');
    const [removed] = await cafe.push({
      collection: 'sales',
      operation: 'delete',
      doc_id,
      parent_version: sold?.new_version,
    });
    expect(removed).toMatchObject({ status: 'rejected', code: 'forbidden' });
  });

  it('add up what two devices sold of one item', async () => {
    const doc_id = randomBytes(12).toString('hex');
    const item = { collection: 'inventory_items', operation: 'upsert', doc_id };
    const data = { name: 'Tea', price: '2.00', quantity: 10 };
    const [made] = await cafe.push({ ...item, data });
    const parent_version = made?.new_version;
    await cafe.push({ ...item, parent_version, data: { ...data, quantity: 8 } });
    const [second] = await cafe.push({ ...item, parent_version, data: { ...data, quantity: 7 } });
    expect(second?.status).toBe('conflict_resolved');
    const { changes } = await cafe.pull(`collections=inventory_items&limit=1000`);
    expect(changes.filter((change) => change.doc_id === doc_id).at(-1)?.data?.['quantity']).toBe(5);
  });

  it('take a body of more than the 100 kB of Nest’s own parser', async () => {
    const data = { text: 'x'.repeat(300_000) };
    const [result] = await cafe.push({ collection: 'notes', operation: 'upsert', doc_id: 'long', data });
    expect(result?.status).toBe('accepted');
  });

  it('send what is new over the socket', async () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/sync/stream`);
    await once(socket, 'open');
    const { last_seq } = await cafe.pull('limit=1000');
    socket.send(
      JSON.stringify({ type: 'subscribe', since: last_seq, token: cafe.token, collections: ['notes'] }),
    );
    const message = once(socket, 'message');
    await cafe.push({ collection: 'notes', operation: 'upsert', doc_id: 'live', data: { now: true } });
    const [text] = (await message) as [Buffer];
    expect(JSON.parse(text.toString())).toMatchObject({ doc_id: 'live', data: { now: true } });
    socket.close();
    await once(socket, 'close');
  });
});

describe('the scopes of the demo', () => {
  const scopesOf = async (client: DemoClient): Promise<unknown> =>
    ((await (await client.request('GET', '/sync/scopes')).json()) as { scopes: unknown }).scopes;
  const push = async (client: DemoClient, scope: string, collection: string): Promise<unknown> => {
    const change = { collection, operation: 'upsert', doc_id: 'diary', data: { text: 'mine' } };
    const body = { client_id: 'test', scope, changes: [change] };
    return (await client.request('POST', '/sync/push', body)).json();
  };

  it('are a business, one’s private notes, and a catalogue', async () => {
    expect(await scopesOf(cafe)).toEqual([
      { scope: 'corner-cafe', access: 'write', own: true, kind: 'business' },
      { scope: 'user:alice', access: 'write', own: false, kind: 'user' },
      { scope: 'catalog', access: 'read', own: false, kind: 'catalog' },
    ]);
  });

  it('let everybody read the catalogue, and nobody write to it', async () => {
    const { changes } = await bikes.pull('scope=catalog');
    expect(changes.map(({ collection, doc_id }) => [collection, doc_id])).toEqual(
      ['W-1001', 'W-1002', 'W-2001'].map((id) => ['catalog_items', id]),
    );
    expect(changes[0]?.data).toMatchObject({ name: 'Espresso beans, 10 kg', price: '142.00' });
    expect(await push(bikes, 'catalog', 'catalog_items')).toMatchObject({ code: 'scope_forbidden' });
    expect((await bikes.pull('limit=1000')).changes.map(({ collection }) => collection)).not.toContain(
      'catalog_items',
    );
  });

  it('keep private notes private, and with their person in every business', async () => {
    expect(await push(cafe, 'user:alice', 'notes')).toMatchObject({ results: [{ status: 'accepted' }] });
    expect(await push(cafe, 'user:alice', 'tasks')).toMatchObject({ results: [{ code: 'wrong_scope' }] });
    const elsewhere = await demoClient(url, 'alice', 'bike-shop');
    expect((await elsewhere.pull('scope=user:alice')).changes.map(({ doc_id }) => doc_id)).toEqual(['diary']);
    const colleague = await demoClient(url, 'carol', 'corner-cafe');
    const answer = await colleague.request('GET', '/sync/pull?scope=user:alice');
    expect(answer.status).toBe(403);
    expect((await colleague.pull('collections=notes')).changes.map(({ doc_id }) => doc_id)).not.toContain(
      'diary',
    );
  });

  it.each(['catalog', 'user:alice'])('have names that no business can have: %s', async (business_id) => {
    await expect(demoClient(url, 'mallory', business_id)).rejects.toThrow('400');
  });
});

describe('POST /orders', () => {
  const BEANS = 'caf000000000000000000001';

  async function stock(): Promise<unknown> {
    const { changes } = await cafe.pull('collections=inventory_items&limit=1000');
    return changes.filter(({ doc_id }) => doc_id === BEANS).at(-1)?.data?.['quantity'];
  }

  it('takes the stock down and puts the order in, in one step that devices see', async () => {
    const before = await cafe.pull('limit=1000');
    const left = Number(await stock());
    const answer = await cafe.request('POST', '/orders', { lines: [{ itemId: BEANS, quantity: 2 }] });
    expect(answer.status).toBe(201);
    const { orderId, total } = (await answer.json()) as { orderId: string; total: string };
    expect(total).toBe('37.00');
    const { changes } = await cafe.pull(`since=${before.last_seq}`);
    expect(changes.map(({ collection, doc_id }) => [collection, doc_id])).toEqual([
      ['inventory_items', BEANS],
      ['orders', orderId],
    ]);
    expect(changes[0]?.data).toMatchObject({
      name: 'Espresso beans, 1 kg',
      price: '18.50',
      quantity: left - 2,
    });
    expect(changes[1]?.data).toMatchObject({ total: '37.00', state: 'placed' });
  });

  it('answers 409 and writes nothing when there is not enough, also of the second item only', async () => {
    const before = await cafe.pull('limit=1000');
    const lines = [
      { itemId: BEANS, quantity: 1 },
      { itemId: 'caf000000000000000000003', quantity: 1000 },
    ];
    const answer = await cafe.request('POST', '/orders', { lines });
    expect(answer.status).toBe(409);
    expect(((await answer.json()) as { message: string }).message).toContain('Cinnamon bun');
    expect((await cafe.pull(`since=${before.last_seq}`)).changes).toEqual([]);
  });

  it('never sells more than there is to concurrent customers', async () => {
    const itemId = randomBytes(12).toString('hex');
    const data = { name: 'Last ones', price: '1.00', quantity: 5 };
    await cafe.push({ collection: 'inventory_items', operation: 'upsert', doc_id: itemId, data });
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => cafe.request('POST', '/orders', { lines: [{ itemId, quantity: 1 }] })),
    );
    const statuses = answers.map(({ status }) => status).sort((a, b) => a - b);
    expect(statuses).toEqual([...Array<number>(5).fill(201), ...Array<number>(7).fill(409)]);
  });

  it('does not sell another business’s goods', async () => {
    const answer = await bikes.request('POST', '/orders', { lines: [{ itemId: BEANS, quantity: 1 }] });
    expect(answer.status).toBe(409);
    expect(await answer.text()).not.toContain('Espresso');
  });

  it('says what is wrong with a body, and asks for a token', async () => {
    const bad = await cafe.request('POST', '/orders', { lines: [{ itemId: 'x', quantity: 0 }] });
    expect(bad.status).toBe(400);
    expect(await bad.text()).toContain('lines.0.itemId must be a mongodb id');
    const anonymous = await fetch(`${url}/orders`, { method: 'POST' });
    expect(anonymous.status).toBe(401);
    expect(await anonymous.json()).toMatchObject({ code: 'unauthenticated' });
  });
});

describe('around the shop', () => {
  it('health says that the engine can work', async () => {
    const answer = await fetch(`${url}/health`);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({
      status: 'ok',
      info: { sync: { status: 'up', primary: true } },
    });
  });

  it('metrics have the series of the engine', async () => {
    const answer = await fetch(`${url}/metrics`);
    expect(answer.headers.get('content-type')).toContain('text/plain');
    expect(await answer.text()).toMatch(/^sync_push_total\{status="success"\} \d+$/m);
  });

  it('docs describe the sync routes and every collection', async () => {
    expect((await fetch(`${url}/docs`)).status).toBe(200);
    const document = (await (await fetch(`${url}/docs-json`)).json()) as {
      paths: Record<string, Record<string, { requestBody?: unknown }>>;
      components: { schemas: Record<string, unknown> };
    };
    expect(Object.keys(document.paths)).toEqual(
      expect.arrayContaining(['/sync/push', '/sync/pull', '/sync/full', '/orders', '/auth/token', '/health']),
    );
    expect(document.paths['/sync/push']?.['post']?.requestBody).toBeDefined();
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining(['TaskDto', 'InventoryItemDto', 'OrderDto', 'OrderLineDto', 'SyncPushedChange']),
    );
  });

  it('docs name every answer that a sync route can give, refusals and null ids too', async () => {
    const document = (await (await fetch(`${url}/docs-json`)).json()) as {
      paths: Record<string, Record<string, { responses: object }>>;
      components: { schemas: Record<string, { properties: Record<string, object> }> };
    };
    for (const [path, method] of [
      ['/sync/push', 'post'],
      ['/sync/pull', 'get'],
      ['/sync/full', 'get'],
    ] as const)
      expect(Object.keys(document.paths[path]?.[method]?.responses ?? {})).toEqual(
        expect.arrayContaining(['200', '400', '401', '403', '413', '503']),
      );
    for (const [path, status] of [
      ['/auth/token', '400'],
      ['/orders', '400'],
      ['/orders', '401'],
    ] as const)
      expect(document.paths[path]?.['post']?.responses).toHaveProperty(status);
    const { SyncPushResult, SyncPushedChange } = document.components.schemas;
    expect(SyncPushResult?.properties['doc_id']).toMatchObject({ nullable: true });
    expect(Object.keys(SyncPushResult?.properties ?? {})).toEqual(
      expect.arrayContaining(['server_document', 'mutation_id', 'replayed']),
    );
    expect(SyncPushedChange?.properties['mutation_id']).toMatchObject({
      oneOf: [{ type: 'string' }, { type: 'integer' }],
    });
  });

  it('says where its routes are, for its page', async () => {
    expect(await (await fetch(`${url}/demo`)).json()).toEqual({
      sync: '/sync',
      stream: '/sync/stream',
      signsIn: true,
    });
  });
});

describe('another start on the same database', () => {
  it('adds the example data no second time', async () => {
    const before = await cafe.pull('limit=1000');
    const again = await listen(environment, true);
    await again.close();
    expect((await cafe.pull(`since=${before.last_seq}`)).changes).toEqual([]);
  });

  it('takes the options of the library from the environment', async () => {
    const moved = await listen(
      readEnvironment({
        MONGODB_URI: database.uri,
        PORT: '0',
        LOG_LEVEL: 'error',
        SYNC_PREFIX: '/api/devices/',
        SYNC_MAX_PULL_LIMIT: '2',
        HLC_NODE_ID: 'node-of-this-test',
      }),
      true,
    );
    try {
      const there = `http://127.0.0.1:${String(portOf(moved))}`;
      const headers = { authorization: `Bearer ${cafe.token}`, 'content-type': 'application/json' };
      const get = (path: string): Promise<Response> => fetch(`${there}${path}`, { headers });
      expect((await get('/sync/pull')).status).toBe(404);
      expect((await get('/api/devices/pull?limit=2')).status).toBe(200);
      expect(await (await get('/api/devices/pull?limit=3')).json()).toMatchObject({ code: 'invalid_limit' });
      const change = { collection: 'notes', operation: 'upsert', doc_id: randomUUID(), data: {} };
      const answer = await fetch(`${there}/api/devices/push`, {
        method: 'POST',
        headers,
        body: JSON.stringify({ client_id: 'test', changes: [change] }),
      });
      expect(await answer.text()).toContain('-node-of-this-test"');
      expect(Object.keys(((await (await get('/docs-json')).json()) as { paths: object }).paths)).toContain(
        '/api/devices/push',
      );
    } finally {
      await moved.close();
    }
  });

  it('in production gives no tokens away and adds no example data', async () => {
    const empty = testDatabase('demo-production');
    const production = await listen(
      readEnvironment({
        MONGODB_URI: empty.uri,
        PORT: '0',
        LOG_LEVEL: 'error',
        NODE_ENV: 'production',
        JWT_SECRET: randomBytes(32).toString('hex'),
      }),
      true,
    );
    try {
      const there = `http://127.0.0.1:${String(portOf(production))}`;
      const body = JSON.stringify({ user_id: 'alice', business_id: 'corner-cafe' });
      const headers = { 'content-type': 'application/json' };
      expect((await fetch(`${there}/auth/token`, { method: 'POST', headers, body })).status).toBe(404);
      // A token of the development secret is worth nothing there.
      const foreign = { authorization: `Bearer ${cafe.token}` };
      expect((await fetch(`${there}/sync/pull`, { headers: foreign })).status).toBe(401);
      expect((await fetch(`${there}/health`)).status).toBe(200);
    } finally {
      await production.close();
    }
  });
});
