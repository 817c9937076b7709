import assert from 'node:assert/strict';
import { once } from 'node:events';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { inSeconds, testToken } from '../support/jwt';
import type { Consumer } from './consumer';

export const SECRET = 'a secret of the consumer apps, of 32 bytes';
const LIMIT_MS = 10_000;

/** What a device does with a running app: push, pull, a full resync, the stream. Throws where an answer is not as it must be. */
export async function visit(url: string, consumer: Consumer): Promise<void> {
  const payload = { user_id: 'alice', business_id: 'corner-cafe', exp: inSeconds(600) };
  const token = consumer.token ?? testToken({ payload, key: SECRET });
  const device = new Device(url, token);
  const stream = await device.listen();
  await device.push('visited');
  assert.deepEqual((await device.pull()).includes('visited'), true, 'the pull gives what was pushed');
  assert.equal(await stream.next('visited'), true, 'the stream sends what was pushed');
  const full = await device.get('/sync/full?limit=0');
  assert.match(full, /"doc_id":"visited"/, 'a full resync gives it too');
  if (consumer.also === 'socket.io') await chat(url);
  if (consumer.also === 'transactional') {
    assert.equal((await device.post('/orders')).status, 201);
    assert.equal((await device.post('/orders?fail')).status, 409);
    assert.equal(await stream.next('ordered'), true, 'the stream sends what was committed');
    assert.deepEqual((await device.pull()).includes('rolled-back'), false, 'what was rolled back is nowhere');
  }
  // Left open: the app must end it when it goes down.
}

class Device {
  constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  async push(docId: string): Promise<void> {
    const change = { collection: 'tasks', operation: 'upsert', doc_id: docId, data: { title: 'A task' } };
    const answer = await this.post('/sync/push', { client_id: 'phone-1', changes: [change] });
    const text = await answer.text();
    assert.match(text, /"status":"accepted"/, `the push is accepted: ${text}`);
  }

  async pull(): Promise<string[]> {
    const page = JSON.parse(await this.get('/sync/pull')) as { changes: { doc_id: string }[] };
    return page.changes.map(({ doc_id }) => doc_id);
  }

  async get(path: string): Promise<string> {
    const answer = await fetch(`${this.url}${path}`, { headers: this.headers });
    assert.equal(answer.status, 200, path);
    return answer.text();
  }

  post(path: string, body: object = {}): Promise<Response> {
    return fetch(`${this.url}${path}`, {
      method: 'POST',
      headers: { ...this.headers, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  async listen(): Promise<Listening> {
    const socket = new WebSocket(`${this.url.replace('http', 'ws')}/sync/stream`);
    const listening = new Listening(socket);
    await once(socket, 'open', { signal: AbortSignal.timeout(LIMIT_MS) });
    socket.send(JSON.stringify({ type: 'subscribe', token: this.token, ack: true }));
    return listening;
  }

  private get headers(): Record<string, string> {
    return { authorization: `Bearer ${this.token}` };
  }
}

class Listening {
  private text = '';

  constructor(private readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => (this.text += data.toString()));
    // The app that goes down closes it.
    socket.on('error', () => undefined);
  }

  /** Whether an entry of this document comes. */
  async next(docId: string): Promise<boolean> {
    const signal = AbortSignal.timeout(LIMIT_MS);
    while (!this.text.includes(`"doc_id":"${docId}"`))
      await once(this.socket, 'message', { signal }).catch((cause: unknown) => {
        throw new Error(`The stream brought no ${docId}, but: ${this.text}`, { cause });
      });
    return true;
  }
}

/** The app's own gateway, over polling and over a WebSocket. */
async function chat(url: string): Promise<void> {
  for (const transport of ['polling', 'websocket']) {
    const socket = io(url, { transports: [transport], forceNew: true, timeout: LIMIT_MS });
    try {
      const answer: unknown = await socket.timeout(LIMIT_MS).emitWithAck('echo', transport);
      assert.equal(answer, transport, `the app's gateway answers over ${transport}`);
    } finally {
      socket.disconnect();
    }
  }
}
