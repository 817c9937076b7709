import type { StreamEvent } from '../history';
import type { Device } from '../wire/device';
import { Subscription } from '../wire/subscription';
import type { Party } from './party';
import { pause } from './pause';
import { Random } from './random';
import type { Reader } from './reader';

export interface StreamHabit {
  /** Null: all. */
  readonly collections: readonly string[] | null;
  /**
   * - `stay`: one socket, as long as it lasts
   * - `brief`: many subscriptions of a few entries or milliseconds each, in the middle of the traffic
   * - `stall`: stops reading from the socket for seconds
   */
  readonly kind: 'stay' | 'brief' | 'stall';
}

/** A device on the stream, which comes back from its own last cursor. */
export class StreamReader implements Reader {
  private readonly device: Device;
  private readonly random: Random;
  private cursor: string | null = null;
  private connections = 0;
  private needsFull = false;

  constructor(
    readonly name: string,
    private readonly party: Party,
    private readonly habit: StreamHabit,
  ) {
    this.device = party.device();
    this.random = new Random(party.settings.seed, name);
  }

  async follow(end: AbortSignal, over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const before = this.connections;
      if (this.needsFull) await this.full();
      await this.connect(end, over);
      // A server that refuses is not to be stormed.
      if (this.habit.kind !== 'brief' || end.aborted || this.connections === before)
        await pause(this.random.between(10, 50), over);
    }
  }

  reached(): boolean {
    const target = this.party.target(this.habit.collections);
    return target === null || (!this.needsFull && this.cursor !== null && this.cursor >= target);
  }

  private async connect(end: AbortSignal, over: AbortSignal): Promise<void> {
    const { random, habit, party } = this;
    let left = random.between(1, 60);
    const brief = habit.kind === 'brief' && !end.aborted;
    const tell = (what: StreamEvent['what']): void => {
      // Its own end is no event of the deployment's.
      if (!over.aborted) this.note(what);
      if (what.is === 'entry' && brief && (left -= 1) === 0) socket.close();
    };
    const question = { since: this.since(brief), collections: habit.collections };
    const socket = new Subscription(this.device, party.settings.streamPath, question, tell);
    const close = (): void => socket.close();
    over.addEventListener('abort', close, { once: true });
    const done = new AbortController();
    const closed = socket.closed.then(() => done.abort());
    if (brief) await pause(random.between(3, 100), done.signal, end);
    if (brief) close();
    else if (habit.kind === 'stall') await this.stallNowAndThen(socket, end, done.signal);
    await closed;
    over.removeEventListener('abort', close);
  }

  /** Brief ones begin anywhere near the end of the log, the others where they stopped. */
  private since(brief: boolean): string | null {
    if (!brief || this.random.chance(0.5)) return this.cursor;
    return this.party.recentVersion(this.random.next()) ?? this.cursor;
  }

  private async stallNowAndThen(socket: Subscription, end: AbortSignal, closed: AbortSignal): Promise<void> {
    const isOver = (): boolean => end.aborted || closed.aborted;
    while (!isOver()) {
      await pause(this.random.between(100, 800), end, closed);
      if (isOver()) return;
      socket.stall();
      this.note({ is: 'stalled' });
      await pause(this.random.between(3500, 6000), end, closed);
      if (!closed.aborted) this.note({ is: 'resumed' });
      socket.resume();
    }
  }

  private note(what: StreamEvent['what']): void {
    const { party, name: reader } = this;
    if (what.is === 'subscribed') this.connections += 1;
    const at = party.journal.now();
    const event: StreamEvent = {
      kind: 'stream',
      ...{ reader, tenant: party.tenant, connection: this.connections, at, what },
    };
    party.journal.add(event);
    if (what.is === 'entry') this.moveTo(what.entry.version);
    if (what.is === 'ping' && what.lastSeq !== null) this.moveTo(what.lastSeq);
    if (what.is === 'resync') this.needsFull = true;
  }

  private moveTo(version: string): void {
    if (this.cursor === null || version > this.cursor) this.cursor = version;
  }

  private async full(): Promise<void> {
    const { rows, lastSeq } = await this.party.full(this.device, this.name, 0);
    if (rows === null || lastSeq === null) return;
    this.cursor = lastSeq;
    this.needsFull = false;
  }
}
