import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';

/** A frame as a test wants it, also one that no client may send. */
export interface Frame {
  /** 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong; others are reserved. */
  readonly opcode: number;
  readonly fin?: boolean;
  /** The three reserved bits, 0 to 7. */
  readonly rsv?: number;
  /** Client frames have to be masked. */
  readonly masked?: boolean;
  readonly payload: string | Buffer;
}

export interface ServerMessage {
  readonly type?: string;
  readonly last_seq?: string;
  readonly [field: string]: unknown;
}

/** A WebSocket client by hand: keeps every byte that the server sends, and can break every rule. */
export class RawSocket {
  private readonly chunks: Buffer[] = [];
  private readonly socket: Socket;
  private unread = Buffer.alloc(0);
  private upgraded = false;
  /** Text messages, in order. */
  readonly texts: string[] = [];
  /** Status line of the handshake and its headers but for `Date`; or the whole refusal. */
  handshake = '';
  /** Code and reason of the close frame; `dropped` without one; undefined while it is open. */
  closed: string | undefined;

  constructor(port: number, request: string) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk) => {
      this.chunks.push(chunk);
      this.unread = Buffer.concat([this.unread, chunk]);
      this.read();
    });
    const dropped = (): void => void (this.closed ??= 'dropped');
    this.socket.on('error', dropped);
    this.socket.on('close', dropped);
    this.socket.on('end', () => {
      if (!this.upgraded) this.handshake ||= withoutDate(this.unread.toString('latin1'));
      dropped();
      this.socket.destroy();
    });
    this.socket.write(request, 'latin1');
  }

  /** Every byte so far. */
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get isOpen(): boolean {
    return this.upgraded && this.closed === undefined;
  }

  send(frame: Frame): void {
    if (this.closed === undefined && !this.socket.destroyed) this.socket.write(encode(frame));
  }

  end(): void {
    this.socket.destroy();
  }

  /** Stops taking what the server sends. */
  pause(): void {
    this.socket.pause();
  }

  private read(): void {
    if (!this.upgraded) {
      const border = this.unread.indexOf('\r\n\r\n');
      if (border < 0) return;
      const head = this.unread.subarray(0, border).toString('latin1');
      if (!head.startsWith('HTTP/1.1 101')) return;
      this.handshake = withoutDate(head);
      this.upgraded = true;
      this.unread = this.unread.subarray(border + 4);
    }
    for (;;) {
      const frame = this.takeFrame();
      if (!frame) return;
      if (frame.opcode === 1) this.texts.push(frame.payload.toString());
      if (frame.opcode === 9) this.send({ opcode: 10, payload: frame.payload });
      if (frame.opcode === 8)
        this.closed ??=
          frame.payload.length < 2
            ? 'no code'
            : `${String(frame.payload.readUInt16BE(0))} ${frame.payload.subarray(2).toString()}`;
    }
  }

  private takeFrame(): { opcode: number; payload: Buffer } | undefined {
    const { unread } = this;
    if (unread.length < 2) return undefined;
    const short = unread[1]! & 127;
    const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (unread.length < 2 + extra) return undefined;
    const length =
      extra === 0 ? short : extra === 2 ? unread.readUInt16BE(2) : Number(unread.readBigUInt64BE(2));
    const end = 2 + extra + length;
    if (unread.length < end) return undefined;
    this.unread = unread.subarray(end);
    return { opcode: unread[0]! & 15, payload: unread.subarray(2 + extra, end) };
  }
}

function encode({ opcode, fin = true, rsv = 0, masked = true, payload }: Frame): Buffer {
  const body = Buffer.from(payload);
  const head = Buffer.alloc(body.length < 126 ? 2 : body.length < 65_536 ? 4 : 10);
  head[0] = (fin ? 128 : 0) | (rsv << 4) | opcode;
  const maskBit = masked ? 128 : 0;
  head[1] = maskBit | (head.length === 2 ? body.length : head.length === 4 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(body.length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(body.length), 2);
  if (!masked) return Buffer.concat([head, body]);
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, body.map((byte, index) => byte ^ mask[index & 3]!)]);
}

function withoutDate(head: string): string {
  return head.replace(/\r\ndate:[^\r]*/i, '').replaceAll('\r', '');
}
