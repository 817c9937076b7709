import { once } from 'node:events';
import { request, type IncomingMessage, type Server } from 'node:http';
import type { INestApplication } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { Test } from '@nestjs/testing';
import { io, type Socket } from 'socket.io-client';
import { WebSocketServer } from 'ws';
import { MongooseModule } from '@nestjs/mongoose';
import { SyncModule } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { startStreamApp, streamModule, SECRET, type StreamApp } from '../../support/stream-app';
import { StreamClient } from '../../support/stream-client';

@WebSocketGateway()
class ChatGateway {
  @SubscribeMessage('echo')
  echo(@MessageBody() data: unknown): unknown {
    return data;
  }
}

/** What a plain HTTP client gets that asks for an upgrade of a path. */
async function upgrade(
  url: string,
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<{ status: number | undefined; text: string }> {
  const asking = request(new URL(path, url.replace('ws', 'http')), {
    method,
    headers: { connection: 'Upgrade', upgrade: 'websocket', ...headers },
  });
  asking.end();
  const [answer] = (await once(asking, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk as string;
  return { status: answer.statusCode, text };
}

const httpOf = (stream: StreamApp): Server => stream.app.getHttpServer() as Server;
const none = (app: INestApplication): unknown => app.useWebSocketAdapter(null as never);

async function streams(stream: StreamApp, scope: string): Promise<void> {
  const client = await stream.subscribe({ token: stream.token({ business_id: scope }), ack: true });
  await client.until('subscribed');
  await client.untilSeq(await stream.push(scope, ['tasks']));
}

type IoServer = ReturnType<IoAdapter['createIOServer']>;

describe('the stream next to socket.io', () => {
  let stream: StreamApp;
  const sockets: Socket[] = [];
  const chat = async (transports: string[]): Promise<Socket> => {
    const socket = io(stream.url.replace('ws', 'http').replace('/sync/stream', ''), {
      transports,
      forceNew: true,
    });
    sockets.push(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    return socket;
  };

  beforeAll(async () => {
    stream = await startStreamApp({
      uri: testDatabase(__filename).uri,
      providers: [ChatGateway],
      // socket.io looks for unanswered upgrades of other paths after this time.
      prepare: (app) =>
        app.useWebSocketAdapter(
          new (class extends IoAdapter {
            override createIOServer(...[port, options]: Parameters<IoAdapter['createIOServer']>): IoServer {
              return super.createIOServer(port, {
                ...options,
                destroyUpgradeTimeout: 20,
              } as never);
            }
          })(app),
        ),
    });
  });
  afterEach(() => {
    stream.hangUp();
    sockets.splice(0).forEach((socket) => socket.close());
  });
  afterAll(() => stream.app.close());

  it.each([[['websocket']], [['polling']], [['polling', 'websocket']]])(
    'both work, also with %j',
    async (transports) => {
      const early = await stream.connect();
      const socket = await chat(transports);
      expect(await socket.emitWithAck('echo', 'hello')).toBe('hello');
      await streams(stream, `io-${transports.join('-')}`);
      early.say({ type: 'subscribe', token: stream.token(), ack: true });
      await early.until('subscribed');
    },
  );

  it('leaves upgrades of other paths to socket.io', async () => {
    await expect(stream.connect('/elsewhere')).rejects.toThrow('socket hang up');
  });
});

describe('the stream without an adapter', () => {
  it('has its own server, for its path only', async () => {
    const stream = await startStreamApp({ uri: testDatabase(__filename).uri, prepare: none });
    await streams(stream, 'alone');
    for (const path of ['/sync/stream?token=x', '/sync/stream/', '/sync/%73tream', '/sync/stream/?a=/b'])
      await expect(stream.connect(path)).resolves.toBeInstanceOf(StreamClient);
    for (const path of [
      '/',
      '/sync',
      '/sync/stream/x',
      '/sync/streams',
      '/sync%2Fstream',
      '/%zz',
      '/x/sync/stream',
    ])
      expect(await upgrade(stream.url, path)).toMatchObject({
        status: 404,
        text: expect.any(String) as string,
      });
    // Its path, and no WebSocket.
    expect((await upgrade(stream.url, '/sync/stream')).status).toBe(400);
    expect((await upgrade(stream.url, '/sync/stream', { upgrade: 'h2c' })).status).toBe(400);
    expect((await upgrade(stream.url, '/sync/stream', {}, 'POST')).status).toBe(405);
    stream.hangUp();
    await stream.app.close();
  });

  it('keeps to the limit of a message, and closes with 1012 when the app stops', async () => {
    const stream = await startStreamApp({
      uri: testDatabase(__filename).uri,
      prepare: none,
      options: { limits: { maxSocketMessageBytes: 2048 } },
    });
    const loud = await stream.subscribe({ token: 'x'.repeat(4096) });
    expect(await loud.untilClosed()).toBe(1009);
    const client = await stream.subscribe({ ack: true });
    await client.until('subscribed');
    const closing = stream.app.close();
    expect(await client.untilClosed()).toBe(1012);
    await closing;
    expect(httpOf(stream).listening).toBe(false);
  });

  it('is kept from other WebSocket servers of the app on the same HTTP server', async () => {
    const upgrades: string[] = [];
    const stream = await startStreamApp({
      uri: testDatabase(__filename).uri,
      prepare: (app) => {
        none(app);
        // Refuses each path but its own at once, ours too if it saw it.
        new WebSocketServer({ server: app.getHttpServer() as Server, path: '/before' });
      },
    });
    new WebSocketServer({ server: httpOf(stream), path: '/after' });
    httpOf(stream).prependListener('upgrade', ({ url = '' }: IncomingMessage) => upgrades.push(url));
    await streams(stream, 'kept');
    expect(upgrades).toEqual([]);
    expect((await upgrade(stream.url, '/nobody')).status).toBe(400);
    expect(upgrades).toEqual(['/nobody']);
    stream.hangUp();
    await stream.app.close();
  });

  it('is there when the app is made first and listens later, on Fastify too', async () => {
    const metadata = streamModule({ uri: testDatabase(__filename).uri });
    const testing = await Test.createTestingModule({
      imports: [{ module: class Host {}, ...metadata }],
    }).compile();
    const app = testing.createNestApplication(new FastifyAdapter());
    await app.init();
    await app.listen(0, '127.0.0.1');
    const url = (await app.getUrl()).replace('http', 'ws');
    const client = await StreamClient.open(`${url}/sync/stream`);
    client.say({ type: 'subscribe' });
    expect(await client.untilClosed()).toBe(4401);
    expect((await upgrade(url, '/elsewhere')).status).toBe(404);
    await app.close();
  });

  it('has a path for each instance of the module', async () => {
    const { uri } = testDatabase(__filename);
    const instance = (connectionName: string) =>
      SyncModule.forRoot({
        connectionName,
        prefix: connectionName,
        isGlobal: false,
        trimIntervalMs: 0,
        metricsEnabled: false,
        jwt: { secret: SECRET },
        collections: [{ name: 'tasks', freeForm: true }],
      });
    const testing = await Test.createTestingModule({
      imports: [
        MongooseModule.forRoot(uri, { connectionName: 'one' }),
        MongooseModule.forRoot(uri, { connectionName: 'two' }),
        instance('one'),
        instance('two'),
      ],
    }).compile();
    const app = testing.createNestApplication();
    await app.listen(0, '127.0.0.1');
    const url = (await app.getUrl()).replace('http', 'ws');
    for (const name of ['one', 'two']) {
      const client = await StreamClient.open(`${url}/${name}/stream`);
      client.say({ type: 'subscribe' });
      expect(await client.untilClosed()).toBe(4401);
    }
    expect((await upgrade(url, '/sync/stream')).status).toBe(404);
    await app.close();
  });
});
