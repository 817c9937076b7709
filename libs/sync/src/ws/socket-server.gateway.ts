import type { WebSocketAdapter } from '@nestjs/common';
import { SyncError } from '../protocol/errors';
import type { SocketServer } from './server-socket';

export interface SocketServerOptions {
  readonly path: string;
  readonly maxPayload: number;
  readonly perMessageDeflate: boolean;
  readonly clientTracking: boolean;
}

/**
 * A server of our own on the app's HTTP server, made by the app's WsAdapter: that one owns the `upgrade` event and
 * destroys every socket whose path it does not know.
 *
 * @throws SyncError `configuration` without a WsAdapter
 */
export function openSocketServer(
  adapter: WebSocketAdapter | null | undefined,
  options: SocketServerOptions,
): SocketServer {
  if (!adapter) throw noAdapter('The app has no WebSocket adapter');
  if (!isWsAdapter(adapter))
    throw noAdapter(`The app uses ${adapter.constructor.name}, which speaks another protocol`);
  const server: unknown = adapter.create(0, options);
  if (!isSocketServer(server)) throw noAdapter('The adapter of the app gave no server of the ws package');
  // The adapter logs a stack for each frame that is too large; our sessions handle their errors.
  server.removeAllListeners('connection');
  return server;
}

/** By name: the app's copy of the package is another one than ours, and ours may be missing. */
function isWsAdapter(adapter: WebSocketAdapter): boolean {
  for (let type: unknown = adapter; type; type = Object.getPrototypeOf(type)) {
    if (type.constructor.name === 'WsAdapter') return true;
  }
  return false;
}

function isSocketServer(server: unknown): server is SocketServer {
  return typeof server === 'object' && server !== null && 'handleUpgrade' in server && 'close' in server;
}

function noAdapter(why: string): SyncError {
  return new SyncError(
    'configuration',
    `SyncModule: ${why}. Before the app starts, write app.useWebSocketAdapter(new WsAdapter(app)) with WsAdapter of @nestjs/platform-ws, or switch the socket off with SyncModule.forRoot({ stream: false, … }).`,
    { path: 'stream' },
  );
}
