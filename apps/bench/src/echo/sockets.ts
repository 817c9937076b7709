import { createServer } from 'node:http';
import { setImmediate as yieldNow } from 'node:timers/promises';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { readyLine } from '../processes/child';
import { endWithBenchmark } from '../processes/lifetime';
import { collectGarbageOnSignal } from '../server/garbage';
import { SOCKETS_PATH, burstOf } from './burst';

/** Bytes that may wait in a socket: what a reasonable server allows. */
const MOST_WAITING = 1 << 20;

/** A bare ws server. `POST /burst?messages=1000&bytes=300` sends one ready buffer that often to all sockets. */
const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
const server = createServer((request, response) => {
  const { messages, bytes } = burstOf(request.url ?? '');
  void burst(messages, bytes).then(() => response.end('{}'));
});
server.on('upgrade', (request, socket, head) => {
  if (request.url !== SOCKETS_PATH) return socket.destroy();
  sockets.handleUpgrade(request, socket, head, (client) => {
    client.on('message', () => client.send('{"type":"subscribed"}'));
  });
});

async function burst(messages: number, bytes: number): Promise<void> {
  const ready = Buffer.from(`{"version":"${'x'.repeat(bytes - 14)}"}`);
  for (let message = 0; message < messages; message += 1) {
    for (const client of sockets.clients) client.send(ready, { binary: false });
    do await yieldNow();
    while (waiting() > MOST_WAITING);
  }
}

/** Of the slowest of a few: all of them get the same. */
function waiting(): number {
  const [first]: Iterable<WebSocket> & WebSocket[] = [...sockets.clients];
  return first?.bufferedAmount ?? 0;
}

collectGarbageOnSignal();
server.listen(0, '127.0.0.1', () => {
  endWithBenchmark(async () => {
    for (const client of sockets.clients) client.terminate();
    server.close();
  });
  console.log(readyLine({ port: (server.address() as AddressInfo).port, pids: [process.pid] }));
});
