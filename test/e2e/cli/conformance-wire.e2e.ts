import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { History, StreamEvent } from '../../../libs/conformance/src';
import { Device } from '../../../libs/conformance/src/wire/device';
import { Endpoints } from '../../../libs/conformance/src/wire/endpoints';
import { markerOf, secretOf, secretsOf } from '../../../libs/conformance/src/wire/marker';
import { SeenPool } from '../../../libs/conformance/src/wire/seen-pool';
import { Subscription } from '../../../libs/conformance/src/wire/subscription';
import { Journal } from '../../../libs/conformance/src/workload/journal';
import { Party } from '../../../libs/conformance/src/workload/party';
import { settingsOf } from '../../../libs/conformance/src/workload/settings';

const secrets = secretsOf('run', 'main');
const foreign = secretOf('run', 'other');
const PAGE = { changes: [], last_seq: '', seq: 0, has_more: false };

describe("the checker's device", () => {
  const servers: Server[] = [];

  async function serve(listener: RequestListener): Promise<string> {
    const server = createServer(listener).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  }
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
  });

  const device = (urls: readonly string[], answerLimitMs = 300): Device =>
    new Device(
      {
        ...{ token: () => 'token', reading: { secrets }, pool: new SeenPool({ secrets }) },
        ...{ received: () => undefined, serverTime: () => undefined },
      },
      new Endpoints(urls, 0),
      'sync',
      { answerLimitMs, silenceLimitMs: 300 },
    );

  it('gives up an answer after its time, and asks the next server then', async () => {
    const asked: string[] = [];
    const silent = await serve(() => asked.push('silent'));
    const alive = await serve((_, response) => {
      asked.push('alive');
      response.end(JSON.stringify(PAGE));
    });
    const both = device([silent, alive]);
    const question = { since: null, collections: null };
    expect(await both.pull(question)).toEqual({ answer: null, page: null });
    expect((await both.pull(question)).page).toMatchObject({ hasMore: false });
    expect((await both.pull(question)).page).toMatchObject({ hasMore: false });
    expect(asked).toEqual(['silent', 'alive', 'alive']);
  });

  it('takes no full resync that broke off for a whole one', async () => {
    const url = await serve((_, response) => {
      response.setHeader('x-sync-lastseq', 'v9');
      response.write('{"collection":"notes","doc_id":"a","data":{},"deleted":false,"version":"v1"}\n');
      setImmediate(() => response.destroy());
    });
    expect(await device([url]).full(0)).toMatchObject({ answer: null, rows: null });
  });

  it('takes no full resync without its end for a whole one', async () => {
    let end = '';
    const url = await serve((_, response) => {
      response.setHeader('x-sync-lastseq', 'v9');
      response.end(`{"collection":"notes","doc_id":"a","data":{},"deleted":false,"version":"v1"}\n${end}`);
    });
    expect(await device([url]).full(0)).toMatchObject({ answer: { status: 200 }, rows: null });
    end = '{"end":true,"last_seq":"v9","cursor":null}\n';
    expect(await device([url]).full(0)).toMatchObject({ rows: [{ docId: 'a' }], lastSeq: 'v9' });
  });

  it('sees a secret of the other tenant in any answer, also in a header', async () => {
    const leaks = async (listener: RequestListener): Promise<History['events']> => {
      const settings = settingsOf({
        ...{ urls: [await serve(listener)], token: 't', run: 'run', seed: 1, seconds: 1 },
        collections: [{ name: 'notes', template: { text: '{marker}' }, ids: 'text' }],
      });
      const journal = new Journal(settings);
      const party = new Party('main', 't', settings, journal);
      await party.pull(party.device(), 'reader', { since: null, collections: null });
      return journal.events.filter(({ kind }) => kind === 'leak');
    };
    const secret = markerOf(foreign, 'w0', 1);
    const own = markerOf(secrets.own, 'w0', 1);
    expect(await leaks((_, response) => response.end(`{"message":"taken by ${secret}"}`))).toMatchObject([
      { to: 'main', where: 'pull' },
    ]);
    expect(await leaks((_, response) => response.setHeader('x-hint', secret).end('{}'))).toHaveLength(1);
    expect(
      await leaks((_, response) => response.setHeader('x-hint', own).end(`{"message":"${own}"}`)),
    ).toEqual([]);
  });

  it('gives up a silent socket, and reports which subscription an entry belongs to', async () => {
    const url = await serve((_, response) => response.end());
    const sockets = new WebSocketServer({ server: servers[0]! });
    const entry = (version: string): string => JSON.stringify({ version, seq: 1, collection: 'notes' });
    sockets.on('connection', (socket) => {
      const said: { since?: string }[] = [];
      socket.on('message', (data: Buffer) => {
        said.push(JSON.parse(data.toString()) as { since?: string });
        if (said.length === 1) {
          socket.send(JSON.stringify({ type: 'subscribed', last_seq: 'v1' }));
          socket.send(entry('v2'));
        }
        // The second one was overtaken by the third: nothing is said of it.
        if (said.length === 3) {
          socket.send(entry('v3'));
          socket.send(JSON.stringify({ type: 'subscribed', last_seq: 'v8' }));
          socket.send(entry('v9'));
        }
      });
    });
    const told: StreamEvent['what'][] = [];
    const subscription = new Subscription(
      device([url]),
      'sync/stream',
      { since: 'v1', collections: null },
      (what) => {
        told.push(what);
        if (what.is !== 'entry' || what.entry.version !== 'v2') return;
        subscription.subscribe({ since: 'v5', collections: null });
        subscription.subscribe({ since: 'v8', collections: null });
      },
    );
    await subscription.closed;
    sockets.close();
    expect(told.map((what) => (what.is === 'entry' ? what.entry.version : what))).toEqual([
      { is: 'subscribed', since: 'v1', collections: null },
      ...['v2', 'v3'],
      { is: 'subscribed', since: 'v8', collections: null },
      'v9',
      { is: 'closed', code: 1006 },
    ]);
  });
});
