import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import WebSocket from 'ws';
import type { LogChange } from 'nest-offline-sync-protocol';
import { ZERO_STAMP } from '../workload/stamps';

/** Sockets that are opened at the same time. */
const WAVE = 100;

export interface Subscription {
  readonly url: string;
  /** The path of the socket. */
  readonly path?: string;
  readonly count: number;
  /** Token of the n-th socket. */
  readonly token: (index: number) => string;
  /** False: a server that confirms nothing. Default true. */
  readonly ack?: boolean;
  /** When messages came, of each socket. Default true. */
  readonly times?: boolean;
}

/**
 * Many sockets that listen to one scope. What the first of them to get there sees is the reference; each message of
 * every other is compared with it as bytes, so that nothing is parsed or kept while the clock runs.
 */
export class Subscribers {
  /** The messages, in order. Pings and confirmations are left out. */
  readonly reference: Buffer[] = [];
  /** How many each socket has got. */
  readonly counts: number[];
  /** When, by performance.now(). */
  readonly times: number[][];
  /** Sockets and places where a message was not the reference's. */
  readonly mismatches: string[] = [];
  private total = 0;
  private wanted = Infinity;
  private reached: () => void = () => undefined;
  private readonly sockets: WebSocket[] = [];

  private constructor(private readonly subscription: Subscription) {
    const { count } = subscription;
    this.counts = Array.from({ length: count }, () => 0);
    this.times = Array.from({ length: count }, () => []);
  }

  static async open(subscription: Subscription): Promise<Subscribers> {
    const subscribers = new Subscribers(subscription);
    for (let first = 0; first < subscription.count; first += WAVE)
      await Promise.all(
        Array.from({ length: Math.min(WAVE, subscription.count - first) }, (_, index) =>
          subscribers.connect(first + index),
        ),
      );
    return subscribers;
  }

  /** Messages of all sockets. */
  get received(): number {
    return this.total;
  }

  /** Resolves when all sockets together have got that many, or after the limit. Call it before they come. */
  async until(total: number, limitMs: number): Promise<boolean> {
    if (this.total >= total) return true;
    this.wanted = total;
    const reached = new Promise<true>((resolve) => {
      this.reached = () => resolve(true);
    });
    const controller = new AbortController();
    const late = delay(limitMs, false, { signal: controller.signal }).catch(() => false);
    const result = await Promise.race([reached, late]);
    controller.abort();
    return result;
  }

  /** At once: a peer that hangs would not answer a close. */
  close(): void {
    for (const socket of this.sockets) socket.terminate();
  }

  private async connect(index: number): Promise<void> {
    const { url, path = '/sync/stream', token, ack = true, times = true } = this.subscription;
    const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, {
      perMessageDeflate: false,
      skipUTF8Validation: true,
    });
    this.sockets.push(socket);
    socket.on('error', () => undefined);
    const confirmed = new Promise<void>((resolve) => {
      socket.on('message', (message: Buffer) => {
        // {"type": … is no entry: the first one confirms, the others are pings.
        if (message[2] === 0x74 && message[3] === 0x79) resolve();
        else this.take(index, message, times);
      });
    });
    await once(socket, 'open');
    socket.send(
      JSON.stringify({
        type: 'subscribe',
        token: token(index),
        collections: ['notes'],
        ack,
        since: ZERO_STAMP,
      }),
    );
    if (ack) await confirmed;
  }

  private take(index: number, message: Buffer, times: boolean): void {
    if (times) this.times[index]?.push(performance.now());
    const place = this.counts[index] ?? 0;
    this.counts[index] = place + 1;
    const expected = this.reference[place];
    if (expected === undefined) this.reference[place] = message;
    else if (!expected.equals(message))
      this.mismatches.push(`socket ${String(index)}, message ${String(place)}`);
    this.total += 1;
    if (this.total >= this.wanted) this.reached();
  }
}

/**
 * The entries that every socket got, in order.
 *
 * @throws Error when sockets did not see the same, or versions do not rise (so none came twice)
 */
export function checkSubscribers({ reference, mismatches }: Subscribers): LogChange[] {
  const [mismatch] = mismatches;
  if (mismatch !== undefined) throw new Error(`Subscribers do not see the same: ${mismatch}`);
  const entries = reference.map((message) => JSON.parse(message.toString('utf8')) as LogChange);
  for (const [place, { version }] of entries.entries())
    if (place > 0 && version <= (entries[place - 1]?.version ?? ''))
      throw new Error(`${version} came after ${entries[place - 1]?.version ?? ''}`);
  return entries;
}
