import type { Socket } from 'node:net';
import type { LogEntry } from '../log/entry';
import type { SendOptions, ServerSocket } from './socket-server';

/** A text message in UTF-8: an entry's own JSON text. */
type Message = Pick<LogEntry, 'wire'>;

/**
 * WebSocket frames of a server, ready for the wire (RFC 6455, 5.2): one unmasked text frame for each message, one after
 * the other, in one buffer that any number of sockets can be given.
 */
export function textFrames(messages: readonly Message[]): Buffer {
  let size = 0;
  for (const { wire } of messages) size += headerBytes(wire.length) + wire.length;
  const frames = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { wire } of messages) {
    at = writeHeader(frames, at, wire.length);
    at += wire.copy(frames, at);
  }
  return frames;
}

const FINAL_TEXT = 0x81;
/** Lengths up to here are in the second byte itself; longer ones in the two or eight bytes after it. */
const SHORT = 125;
const IN_TWO_BYTES = 126;
const IN_EIGHT_BYTES = 127;

function headerBytes(length: number): number {
  if (length <= SHORT) return 2;
  return length < 1 << 16 ? 4 : 10;
}

function writeHeader(frames: Buffer, at: number, length: number): number {
  const size = headerBytes(length);
  frames[at] = FINAL_TEXT;
  frames[at + 1] = size === 2 ? length : size === 4 ? IN_TWO_BYTES : IN_EIGHT_BYTES;
  if (size === 4) frames.writeUInt16BE(length, at + 2);
  if (size === 10) frames.writeBigUInt64BE(BigInt(length), at + 2);
  return at + size;
}

/** Runs that are kept at a time: the subscribers of a scope may have asked for several selections of it. */
const KEPT = 8;

/**
 * The frames of runs of entries, made once for all sockets that get the same run: those that stand at the same place
 * get the same entries, one socket after the other, in one turn of the process. Nothing is kept beyond the turn.
 */
export class SharedFrames {
  private kept: { readonly run: readonly Message[]; readonly frames: Buffer }[] = [];

  /** @param afterTurn runs a task when the turn is over: setImmediate */
  constructor(private readonly afterTurn: (task: () => void) => void) {}

  /** The bytes are shared: never write into them. */
  of(run: readonly Message[]): Buffer {
    const kept = this.kept.find((each) => sameRun(each.run, run));
    if (kept) return kept.frames;
    const frames = textFrames(run);
    if (this.kept.length === 0) this.afterTurn(() => (this.kept = []));
    if (this.kept.length === KEPT) this.kept.shift();
    this.kept.push({ run, frames });
    return frames;
  }
}

/** The same entries, not equal ones: subscribers share the objects. */
function sameRun(a: readonly Message[], b: readonly Message[]): boolean {
  return a.length === b.length && a.every((entry, index) => entry === b[index]);
}

const OPEN = 1;
/** One text frame. Compression costs more memory a socket than it saves. */
const TEXT: SendOptions = { binary: false, compress: false };

/** At most this much is written at once, so that sockets with much room and those with little get the same runs. */
const RUN_BYTES = 256 << 10;

/** What goes out on one socket: never more in its buffer than the bound and one message (invariant 9). */
export class Outbound {
  private readonly ready: boolean;
  private full = false;

  /**
   * @param tcp what `socket` writes to
   * @param drained called when there is room again
   */
  constructor(
    private readonly socket: ServerSocket,
    private readonly tcp: Socket,
    private readonly maxBytes: number,
    private readonly frames: SharedFrames,
    private readonly drained: () => void,
  ) {
    this.ready = takesReadyFrames(socket, tcp);
  }

  /** Bytes that may be sent now; 0: none before `drained` is called. */
  get room(): number {
    return this.full ? 0 : Math.max(1, Math.min(RUN_BYTES, this.maxBytes - this.socket.bufferedAmount));
  }

  /** Whether so much waits that nothing should be begun that adds to it; `drained` is called when that is over. */
  get isFull(): boolean {
    return this.full;
  }

  /** The answer to a push, however full the buffer is: it was asked for. Who asks has to be held back. */
  answer(message: string): void {
    if (this.socket.readyState !== OPEN) return;
    this.socket.send(message, TEXT, () => {
      // What came after it may still wait: then that one's end is the end of it.
      if (this.full && this.socket.bufferedAmount < this.maxBytes) this.resume();
    });
    this.full ||= this.socket.bufferedAmount >= this.maxBytes;
  }

  /** Short messages of the protocol itself. */
  text(message: string): void {
    if (this.socket.readyState === OPEN) this.socket.send(message, TEXT);
  }

  /** A WebSocket ping, then the protocol's own. */
  ping(message: string): void {
    if (this.socket.readyState !== OPEN) return;
    this.socket.ping();
    this.text(message);
  }

  /** Sends entries, one message each. Only when there is {@link room}, and no more than that or a single one. */
  entries(run: readonly Message[]): void {
    if (this.socket.readyState !== OPEN) return;
    let bytes = this.socket.bufferedAmount;
    for (const { wire } of run) bytes += wire.length;
    this.full = bytes >= this.maxBytes;
    // Messages leave in order: when the last one has left, so have those before it.
    const left = this.full ? (): void => this.resume() : undefined;
    if (this.ready) this.tcp.write(this.frames.of(run), left);
    else
      run.forEach(({ wire }, index) =>
        this.socket.send(wire, TEXT, index === run.length - 1 ? left : undefined),
      );
  }

  private resume(): void {
    this.full = false;
    this.drained();
  }
}

/**
 * Whether frames that are made already may be written straight to the TCP socket, in between what `ws` itself sends.
 * Without an extension it writes each frame as a whole in the same call, and keeps no queue; `_socket` is
 * what it writes to, and the one thing here that its documentation does not name. Where this says no, the messages are
 * sent by `send`, one by one.
 */
function takesReadyFrames(socket: ServerSocket, tcp: Socket): boolean {
  return socket.extensions === '' && '_socket' in socket && socket._socket === tcp;
}
