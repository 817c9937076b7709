import type { Server } from 'node:http';
import type { WebSocketAdapter } from '@nestjs/common';
import { WebSocketServer } from 'ws';
import { SyncError } from 'nest-offline-sync-protocol';
import { takeUpgrades } from './upgrades';

/**
 * What the gateway uses of a socket and a server of the `ws` package. Told by shape: the app's WsAdapter brings its
 * own copy of the package, so `instanceof` says nothing, and the package's types stay out of ours.
 */
export interface ServerSocket {
  readonly readyState: number;
  /** Bytes that the peer's side has not taken yet. */
  readonly bufferedAmount: number;
  /** Negotiated extensions, by name; '' for none. */
  readonly extensions: string;
  send(data: string | Buffer, options: SendOptions, done?: (error?: Error) => void): void;
  ping(): void;
  /** Reads nothing more before `resume`; what has been read already still comes. */
  pause(): void;
  resume(): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): unknown;
  on(event: 'pong' | 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

export interface SendOptions {
  readonly binary: boolean;
  readonly compress: boolean;
}

export interface SocketServer {
  on(event: 'connection', listener: (socket: ServerSocket, upgrade: unknown) => void): unknown;
  removeAllListeners(event: 'connection'): unknown;
  handleUpgrade: unknown;
  close(): void;
}

export interface SocketServerOptions {
  readonly path: string;
  readonly maxPayload: number;
  readonly perMessageDeflate: boolean;
  readonly clientTracking: boolean;
}

/**
 * A `ws` server for the stream on the app's HTTP server. An app with a WsAdapter makes it, because that one destroys
 * every socket whose path it does not know. With another adapter, or none, it is ours alone.
 *
 * @throws SyncError `configuration` when a WsAdapter makes something else
 */
export function openSocketServer(
  adapter: WebSocketAdapter | null | undefined,
  options: SocketServerOptions,
  http: Server,
): SocketServer {
  return adapter && isWsAdapter(adapter) ? serverOfAdapter(adapter, options) : ownServer(options, http);
}

function serverOfAdapter(adapter: WebSocketAdapter, options: SocketServerOptions): SocketServer {
  const server: unknown = adapter.create(0, options);
  if (!isSocketServer(server))
    throw new SyncError(
      'configuration',
      `SyncModule: create() of ${adapter.constructor.name} gave no server of the ws package. Let it return what create() of WsAdapter returns, or switch the socket off with SyncModule.forRoot({ stream: false, … }).`,
      { path: 'stream' },
    );
  // The adapter logs a stack for each frame that is too large; our sessions handle their errors.
  server.removeAllListeners('connection');
  return server;
}

function ownServer({ path, ...options }: SocketServerOptions, http: Server): SocketServer {
  const server = new WebSocketServer({ ...options, noServer: true });
  // Once the server is closed it answers 503 by itself: clients come back to another process.
  takeUpgrades(http, path, (request, socket, head) => {
    server.handleUpgrade(request, socket, head, (client) => server.emit('connection', client, request));
  });
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
