import { WebSocket } from 'ws';

export type ClientOptions = NonNullable<ConstructorParameters<typeof WebSocket>[2]>;

export interface Received {
  readonly type?: string;
  readonly version?: string;
  readonly seq?: number;
  readonly collection?: string;
  readonly doc_id?: string;
  readonly [field: string]: unknown;
}

const DEADLINE_MS = 60_000;

/** Polls a condition; says what did not happen when the deadline passes, as things stand then. */
export async function eventually(
  what: string | (() => string),
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await condition())) {
    if (Date.now() > deadline)
      throw new Error(`Did not happen in time: ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** 1, 2, 3 … */
export function upTo(last: number, first = 1): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** A client of the socket, as a device would have it. */
export class StreamClient {
  readonly messages: Received[] = [];
  /** The text of each entry, as it came. */
  readonly texts: string[] = [];
  closeCode: number | undefined;
  pings = 0;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => {
      const text = data.toString();
      const message = JSON.parse(text) as Received;
      this.messages.push(message);
      if (message.type === undefined) this.texts.push(text);
    });
    socket.on('ping', () => (this.pings += 1));
    socket.on('error', () => undefined);
    socket.on('close', (code) => (this.closeCode = code));
  }

  static async open(url: string, options: ClientOptions = {}): Promise<StreamClient> {
    const socket = new WebSocket(url, options);
    const client = new StreamClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  get entries(): Received[] {
    return this.messages.filter(({ type }) => type === undefined);
  }

  get seqs(): number[] {
    return this.entries.map(({ seq }) => Number(seq));
  }

  ofType(type: string): Received[] {
    return this.messages.filter((message) => message.type === type);
  }

  say(message: object): void {
    this.socket.send(JSON.stringify(message));
  }

  async untilSeq(seq: number): Promise<void> {
    await eventually(
      () => `entry ${String(seq)}; has ${String(this.seqs.at(-1))}; closed with ${String(this.closeCode)}`,
      () => (this.seqs.at(-1) ?? 0) >= seq,
    );
  }

  async until(type: string, count = 1): Promise<Received> {
    await eventually(
      () => `${String(count)} ${type}; closed with ${String(this.closeCode)}`,
      () => this.ofType(type).length >= count,
    );
    return this.ofType(type)[count - 1] ?? {};
  }

  async untilClosed(): Promise<number> {
    await eventually('close', () => this.closeCode !== undefined);
    return this.closeCode ?? 0;
  }
}
