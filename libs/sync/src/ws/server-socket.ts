import type { Socket } from 'node:net';

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

export const OPEN = 1;
/** One text frame. Compression costs more memory a socket than it saves. */
export const TEXT: SendOptions = { binary: false, compress: false };

/**
 * Whether frames that are made already may be written straight to the TCP socket, in between what `ws` itself sends.
 * Without an extension it writes each frame as a whole in the same call, and keeps no queue of its own; `_socket` is
 * what it writes to, and the one thing here that its documentation does not name. Where this says no, the messages are
 * sent by `send`, one by one.
 */
export function takesReadyFrames(socket: ServerSocket, tcp: Socket): boolean {
  return socket.extensions === '' && '_socket' in socket && socket._socket === tcp;
}
