import type { StreamEvent } from '../history';
import type { Device } from '../wire/device';
import { Subscription, type SubscriptionQuestion } from '../wire/subscription';
import { followBriefly } from './brief-following';
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
  readonly random: Random;
  private readonly device: Device;
  private cursor: string | null = null;
  /** Of the cursor, where it is known. */
  private seq: number | null = null;
  private connections = 0;
  private needsFull = false;
  /** The last thing that came was a refusal. */
  private refused = false;
  /** Called with everything that arrives. */
  private watch: (what: StreamEvent['what']) => void = () => undefined;

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
      // Do not flood a server that refuses.
      const isStorm = this.connections === before || this.refused;
      if (isStorm || this.habit.kind !== 'brief' || end.aborted)
        await pause(this.random.between(10, isStorm ? 200 : 50), over);
    }
  }

  reached(): boolean {
    const target = this.party.target(this.habit.collections);
    return target === null || (!this.needsFull && this.cursor !== null && this.cursor >= target);
  }

  /** Brief ones begin anywhere near the end of the log now and then, otherwise where they stopped. */
  question(anywhere: boolean): SubscriptionQuestion {
    const { collections } = this.habit;
    const recent = anywhere && this.random.chance(0.5) ? this.party.recentVersion(this.random.next()) : null;
    if (recent !== null) return { since: recent, collections };
    const bySeq = this.seq !== null && this.party.features.has('since_seq') && this.random.chance(0.5);
    return { since: this.cursor, collections, ...(bySeq ? { sinceSeq: this.seq ?? 0 } : {}) };
  }

  /**
   * Settles with the first thing of the socket that `isIt` takes, or after `limitMs`, or when a signal says that there
   * is nothing to wait for.
   */
  async awaits(
    isIt: (what: StreamEvent['what']) => boolean,
    limitMs: number,
    ...signals: readonly AbortSignal[]
  ): Promise<void> {
    const came = new AbortController();
    this.watch = (what) => {
      if (isIt(what)) came.abort();
    };
    await pause(limitMs, came.signal, ...signals);
    this.watch = () => undefined;
  }

  private async connect(end: AbortSignal, over: AbortSignal): Promise<void> {
    const { habit, party } = this;
    const brief = habit.kind === 'brief' && !end.aborted;
    const socket = new Subscription(this.device, party.settings.streamPath, this.question(brief), (what) => {
      // Its own end is no event of the deployment's.
      if (!over.aborted) this.note(what);
    });
    const close = (): void => socket.close();
    over.addEventListener('abort', close, { once: true });
    const closed = new AbortController();
    const closing = socket.closed.then(() => closed.abort());
    if (brief) await followBriefly(this, socket, end, closed.signal);
    else if (habit.kind === 'stall') await this.stallNowAndThen(socket, end, closed.signal);
    await closing;
    over.removeEventListener('abort', close);
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
      ...party.log,
      ...{ reader, connection: this.connections, at, what },
    };
    party.journal.add(event);
    if (what.is === 'entry') this.moveTo(what.entry.version, what.entry.seq);
    if (what.is === 'ping' && what.lastSeq !== null) this.moveTo(what.lastSeq, null);
    if (what.is === 'resync') this.needsFull = true;
    this.refused = what.is === 'lost' || what.is === 'error' || (this.refused && what.is === 'closed');
    this.watch(what);
  }

  private moveTo(version: string, seq: number | null): void {
    if (this.cursor !== null && version <= this.cursor) return;
    this.cursor = version;
    this.seq = seq;
  }

  private async full(): Promise<void> {
    const { rows, lastSeq } = await this.party.full(this.device, this.name, 0);
    if (rows === null || lastSeq === null) return;
    this.cursor = lastSeq;
    this.seq = null;
    this.needsFull = false;
  }
}
