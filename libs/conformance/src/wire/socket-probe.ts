import { WebSocket, type RawData } from 'ws';
import type { Answer } from '../history';
import { jsonOf } from './exchange';
import { fieldsOf } from './parse';

/**
 * Opens a socket, says one thing and waits for its end.
 *
 * @returns the close code and the code of what was said before it, or null when the socket stayed open for `limitMs` or
 *   never opened
 */
export function askSocket(url: string, message: string, limitMs: number): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { handshakeTimeout: limitMs, perMessageDeflate: false });
    let code: string | null = null;
    let refusedWith: number | null = null;
    const timer = setTimeout(() => socket.terminate(), limitMs);
    socket.on('open', () => socket.send(message, () => undefined));
    socket.on('message', (data: RawData) => {
      const said = fieldsOf(jsonOf((data as Buffer).toString()));
      if (said['type'] === 'full_resync_required') code = 'full_resync_required';
      else if (said['type'] === 'error' && typeof said['code'] === 'string') code = said['code'];
    });
    socket.on('unexpected-response', (request, response) => {
      refusedWith = response.statusCode ?? null;
      request.destroy();
      socket.terminate();
    });
    // A close event follows.
    socket.on('error', () => undefined);
    socket.once('close', (closedWith) => {
      clearTimeout(timer);
      // 1006: this side gave it up, or the connection broke.
      const status = refusedWith ?? (closedWith === 1006 ? null : closedWith);
      resolve(status === null ? null : { status, code });
    });
  });
}

/**
 * Opens a socket, subscribes to a scope and waits for the first thing that is said about it: such a socket stays open.
 *
 * @returns 200 and the type of what came, which is no refusal; null when nothing came for `limitMs`
 */
export function askScope(url: string, message: string, limitMs: number): Promise<Answer> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { handshakeTimeout: limitMs, perMessageDeflate: false });
    const timer = setTimeout(() => end(null), limitMs);
    const end = (answer: Answer): void => {
      clearTimeout(timer);
      socket.terminate();
      resolve(answer);
    };
    socket.on('open', () => socket.send(message, () => undefined));
    socket.on('message', (data: RawData) => {
      const { type, code } = fieldsOf(jsonOf((data as Buffer).toString()));
      if (type !== 'ping') end({ status: 200, code: type === 'error' ? String(code) : null });
    });
    socket.on('error', () => end(null));
    socket.once('close', (status) => end(status === 1006 ? null : { status, code: null }));
  });
}
