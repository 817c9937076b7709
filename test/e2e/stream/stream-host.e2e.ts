import type { Server } from 'node:http';
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { WsAdapter } from '@nestjs/platform-ws';
import type { SyncIdentity } from '../../../libs/sync/src/identity/identity';
import type { SyncRequest } from '../../../libs/sync/src/options/sync.options';
import { openSocketServer } from '../../../libs/sync/src/ws/socket-server';
import { NoMetrics } from '../../../libs/sync/src/metrics/metrics';
import { Test } from '@nestjs/testing';
import { OplogRepository } from '../../../libs/sync/src/log/oplog';
import { StreamService } from '../../../libs/sync/src/stream/stream.service';
import { testDatabase } from '../../support/database';
import { startStreamApp, streamModule, type StreamApp } from '../../support/stream-app';
import { LogWriter } from '../../support/stream-log';
import { eventually, StreamClient } from '../../support/stream-client';

@WebSocketGateway({ path: '/chat' })
class ChatGateway {
  @SubscribeMessage('echo')
  echo(@MessageBody() data: unknown): object {
    return { event: 'echoed', data };
  }
}

/** The app's own guard: the token says what it does. */
@Injectable()
class MoodyGuard implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<SyncRequest>();
    const mood = String(request.headers['authorization']).replace('Bearer ', '');
    if (mood === 'hang') await new Promise(() => undefined);
    if (mood === 'break') throw new Error('secret text of a broken guard');
    if (mood === 'slow') await new Promise((resolve) => setTimeout(resolve, 700));
    request.user = { user_id: 'u1', business_id: 'b1', mood };
    return mood !== 'no';
  }
}

const mayRead = ({ user }: SyncIdentity, collection: string): boolean =>
  collection !== 'orders' || (user as { mood?: string } | undefined)?.mood !== 'narrow';

describe('the socket in an app with its own guard and gateways', () => {
  const database = testDatabase(__filename);
  let stream: StreamApp;

  beforeAll(async () => {
    stream = await startStreamApp({
      uri: database.uri,
      providers: [ChatGateway, MoodyGuard],
      options: { jwt: undefined, guard: MoodyGuard, authorizer: mayRead, subscribeTimeoutMs: 1_000 },
    });
  });
  afterEach(() => stream.hangUp());
  afterAll(() => stream.app.close());

  it('leaves the gateways of the app alone', async () => {
    const client = await stream.subscribe({ token: 'wide', ack: true });
    const chat = await stream.connect('/chat');
    chat.say({ event: 'echo', data: 'hello' });
    await eventually('echo', () => chat.messages.length === 1);
    expect(chat.messages).toEqual([{ event: 'echoed', data: 'hello' }]);
    await client.until('subscribed');
    await expect(stream.connect('/elsewhere')).rejects.toThrow();
  });

  it('takes a check that is under way for a subscribe message', async () => {
    const client = await stream.connect();
    await new Promise((resolve) => setTimeout(resolve, 600));
    client.say({ type: 'subscribe', token: 'slow', ack: true });
    await client.until('subscribed');
  });

  it('does not wait for a check without end', async () => {
    const client = await stream.subscribe({ token: 'hang' });
    expect(await client.untilClosed()).toBe(1013);
    expect(client.ofType('error')).toEqual([expect.objectContaining({ code: 'unavailable' })]);
  });

  it('keeps what went wrong in a guard to itself', async () => {
    const silent = [process.stdout, process.stderr].map((out) =>
      jest.spyOn(out, 'write').mockReturnValue(true),
    );
    const client = await stream.subscribe({ token: 'break' });
    const code = await client.untilClosed();
    silent.forEach((spy) => spy.mockRestore());
    expect(code).toBeGreaterThanOrEqual(1011);
    expect(JSON.stringify(client.messages)).not.toContain('secret');
  });

  it('refuses whom the guard refuses', async () => {
    const client = await stream.subscribe({ token: 'no' });
    expect(await client.untilClosed()).toBe(4403);
  });

  it('authorizes the collections, and again when a fresh token comes', async () => {
    const forbidden = await stream.subscribe({ token: 'narrow', collections: ['orders'] });
    expect(await forbidden.untilClosed()).toBe(4403);

    const asked = await stream.subscribe({ token: 'wide', collections: ['orders'], ack: true });
    await asked.until('subscribed');
    asked.say({ type: 'token', token: 'narrow' });
    expect(await asked.untilClosed()).toBe(4403);

    const all = await stream.subscribe({ token: 'wide', ack: true });
    await all.until('subscribed');
    await stream.push('b1', ['tasks', 'orders']);
    await all.untilSeq(2);
    all.say({ type: 'token', token: 'narrow' });
    const narrow = await stream.subscribe({ token: 'narrow' });
    await narrow.untilSeq(1);
    await stream.push('b1', ['orders', 'tasks']);
    await all.untilSeq(4);
    expect(all.seqs).toEqual([1, 2, 4]);
  });
});

describe('the socket when the app stops', () => {
  it('closes every client with 1012, waits for nobody for long, and accepts no more', async () => {
    const stream = await startStreamApp({ uri: testDatabase(__filename).uri });
    const clients = await Promise.all(Array.from({ length: 10 }, () => stream.subscribe({ ack: true })));
    const idle = await stream.connect();
    const deaf = await stream.subscribe({ ack: true });
    for (const client of [...clients, deaf]) await client.until('subscribed');
    deaf.socket.pause();
    const closing = stream.app.close();
    for (const client of [...clients, idle]) expect(await client.untilClosed()).toBe(1012);
    await expect(stream.connect()).rejects.toThrow();
    await closing;
    for (const client of clients) expect(client.ofType('error')).toEqual([]);
    deaf.socket.terminate();
    // A socket's own close waits for 30 s.
  }, 25_000);
});

describe('the socket and a peer that takes nothing', () => {
  it('cuts it off after two ping intervals, whatever waits for it', async () => {
    let open = 0;
    class Sockets extends NoMetrics {
      override sockets(now?: number): void {
        open = now ?? 0;
      }
    }
    const stream = await startStreamApp({
      uri: testDatabase(__filename).uri,
      metrics: new Sockets(),
      options: { pingIntervalMs: 1_000, socketBufferBytes: 64 << 10 },
    });
    const stuck = await stream.subscribe();
    await stream.push('b1', ['tasks']);
    await stuck.untilSeq(1);
    stuck.socket.pause();
    for (let i = 0; i < 100; i += 1) await stream.push('b1', ['tasks'], 'x'.repeat(200_000));
    await eventually('cut off', () => open === 0);
    stream.hangUp();
    await stream.app.close();
  });
});

describe('what the host has', () => {
  it('an adapter that makes something else: the error says what to do', async () => {
    class OddAdapter extends WsAdapter {
      override create(): never {
        return {} as never;
      }
    }
    const starting = startStreamApp({
      uri: testDatabase(__filename).uri,
      prepare: (app) => app.useWebSocketAdapter(new OddAdapter(app)),
    });
    await expect(starting).rejects.toMatchObject({
      code: 'configuration',
      path: 'stream',
      message: expect.stringContaining('create() of OddAdapter gave no server') as unknown,
    });
  });

  it('nothing, and the stream is switched off: nobody connects', async () => {
    const stream = await startStreamApp({
      uri: testDatabase(__filename).uri,
      extras: { stream: false },
      prepare: (app) => app.useWebSocketAdapter(null as never),
    });
    await expect(StreamClient.open(stream.url)).rejects.toThrow();
    await stream.app.close();
  });

  it('no HTTP server (an application context): the stream is there for the app', async () => {
    const metadata = streamModule({ uri: testDatabase(__filename).uri });
    const module = await Test.createTestingModule({
      imports: [{ module: class Script {}, ...metadata }],
    }).compile();
    const context = await module.init();
    const stop = new AbortController();
    const subscription = await context
      .get(StreamService)
      .open({ scopeId: 'b1', actorId: 'u1' }, {}, stop.signal);
    await new LogWriter(context.get(OplogRepository)).write('b1', ['tasks']);
    for await (const message of subscription) {
      expect(message).toMatchObject({ kind: 'change', seq: 1 });
      break;
    }
    await context.close();
  });

  it('a subclass of WsAdapter: that makes the server', async () => {
    class OwnAdapter extends WsAdapter {}
    const context = await NestFactory.create(class Empty {}, { logger: false });
    const options = { path: '/x', maxPayload: 1024, perMessageDeflate: false, clientTracking: false };
    const adapter = new OwnAdapter(context);
    const create = jest.spyOn(adapter, 'create');
    openSocketServer(adapter, options, context.getHttpServer() as Server).close();
    expect(create).toHaveBeenCalledWith(0, options);
    await context.close();
  });
});
