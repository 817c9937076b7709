import { isObject, type SyncInfo } from 'nest-offline-sync-protocol';
import { Alarm } from './alarm.ts';
import { AccessWatch } from './access-watch.ts';
import type { AccessLost } from './rules/rights.ts';
import { feedOf, type LiveFeed } from './live-feed.ts';
import type { LiveHub } from './live-hub.ts';
import { storageFailure } from './pusher.ts';
import { LoadPage, rowsOfPage } from './load-page.ts';
import { beginPart, readPart, verifyPart } from './part-load.ts';
import { ask, beginLoad, sweep, takeInfo, takePull, tellPull } from './reading.ts';
import { isOver, type Replica } from './replica.ts';
import { offsetOf } from './rules/clock.ts';
import { NETWORK, type Failure } from './rules/failure.ts';
import {
  afterFailure,
  afterSocketFailure,
  CALM,
  nextStep,
  uncovered,
  type Conditions,
  type Position,
  type ReaderState,
  type Temper,
} from './rules/reader-state.ts';
import type { Tuning } from './options.ts';
import type { Answer, TakeLines, Transport } from './transport.ts';
import { tokenFailure, type Auth } from './auth.ts';

export interface ReaderPorts {
  readonly tuning: Tuning;
  readonly transport: Transport;
  readonly auth: Auth;
  /** Undefined: no socket is wanted. */
  readonly hub: LiveHub | undefined;
  /** The collections of the client's options. */
  readonly collections: readonly string[];
  readonly changed: () => void;
  /** The server's time is known, or another right to try again. */
  readonly informed: () => void;
  readonly lost: (lost: AccessLost) => void;
  /** A collection without a full resync whose log was trimmed: what was written then, and is not here, cannot be had. */
  readonly incomplete: (collection: string) => void;
  readonly over: (error: unknown) => void;
}

/** Brings what the server says into the base: loads, pulls, follows. It never waits for the pusher. */
export class Reader {
  state: ReaderState = { phase: 'opening' };
  /** When the server was last heard, and when everything was last here. Of the device's clock. */
  lastContactAt: number | undefined;
  lastCaughtUpAt: number | undefined;
  private temper: Temper = CALM;
  private isCaughtUp = false;
  /** Who waits for a read that begins later than now: {@link catchUp}. */
  private waiting: ((isRead: boolean) => void)[] = [];
  private isInformed = false;
  private page: LoadPage | undefined;
  private isStopped = false;
  private mustReload = false;
  private feed: LiveFeed | undefined;
  private info: SyncInfo | undefined;
  private readonly alarm: Alarm;
  private readonly access: AccessWatch;
  private running: Promise<void> | undefined;

  constructor(
    private readonly replica: Replica,
    private readonly ports: ReaderPorts,
  ) {
    this.alarm = new Alarm(replica.environment);
    this.access = new AccessWatch(replica, { ...ports, again: () => this.askAgain() });
  }

  start(): void {
    this.isStopped = false;
    this.isInformed = false;
    this.state = { phase: 'opening' };
    this.running ??= this.run().finally(() => (this.running = undefined));
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    this.access.stop();
    this.feed?.close();
    this.alarm.ring();
    await this.running;
    for (const resolve of this.waiting.splice(0)) resolve(false);
  }

  /** A reason to try again at once: back online, another token, somebody waits. */
  kick(): void {
    this.temper = CALM;
    this.isCaughtUp = false;
    this.alarm.ring();
  }

  /**
   * Reads everything that the server has now, also while a socket is followed, whose entries may still be on their way.
   *
   * @returns whether that has been done; false if the reader was stopped before
   */
  catchUp(): Promise<boolean> {
    const read = new Promise<boolean>((resolve) => this.waiting.push(resolve));
    this.feed?.close();
    this.kick();
    return read;
  }

  reload(): void {
    this.mustReload = true;
    this.feed?.close();
    this.kick();
  }

  /** A push over the socket; undefined where none stands. */
  push(body: object): Promise<Answer> | undefined {
    return this.feed?.push(body);
  }

  private async run(): Promise<void> {
    while (!this.isStopped)
      try {
        await this.step();
      } catch (error) {
        if (isOver(error)) return this.ports.over(error);
        await this.failed(storageFailure(error));
      }
  }

  private async step(): Promise<void> {
    if (!this.isInformed) return this.inform();
    if (this.mustReload) {
      this.mustReload = false;
      await beginLoad(this.replica, true);
    }
    const position = await this.replica.meta('position');
    const { readable, loadable } = this.access;
    const missing = uncovered(position, readable, loadable);
    if (missing !== undefined)
      return loadable.includes(missing) ? beginLoad(this.replica, false) : beginPart(this.replica, missing);
    const next = nextStep(position, this.isCaughtUp, this.temper, this.conditions());
    this.enter(next);
    switch (next.phase) {
      case 'loading':
        return this.load(position);
      case 'sweeping':
        return this.end(position.load?.part, position.load?.rows ?? 0);
      case 'catching-up':
        return this.pull(position.cursor);
      case 'live':
        return this.follow(position.cursor ?? '');
      default:
        if ('until' in next) await this.alarm.sleep(next.until);
        this.isCaughtUp = false;
    }
  }

  private async inform(): Promise<void> {
    const answer = await this.get('info', {});
    if (!answer) return;
    const info = answer.body as SyncInfo;
    if (!isObject(info) || !Array.isArray(info.collections)) return this.failed(NETWORK);
    await takeInfo(this.replica, info, offsetOf(info.server_time, answer.sentAt, answer.receivedAt));
    this.info = info;
    this.isInformed = true;
    await this.access.informed(info);
    this.ports.informed();
  }

  private async load(position: Position): Promise<void> {
    if (!position.load) return beginLoad(this.replica, false);
    const { page, part } = position.load;
    if (part !== undefined) return this.loadPart(part, page);
    const rows = rowsOfPage(this.info, this.page?.isOver ? this.page.size : undefined);
    const whole = (this.page = new LoadPage(this.replica, page, this.access.loadable, this.ports, rows));
    const answer = await this.get('full', whole.query, whole.take);
    if (answer && !whole.isOver) await this.failed(NETWORK);
  }

  private async end(part: string | undefined, rows: number): Promise<void> {
    const { replica, ports, access } = this;
    const failure = await (part === undefined
      ? sweep(replica, access.readable)
      : verifyPart(replica, ports.transport, part, access.readable));
    if (!failure && part === undefined) ports.tuning.tell({ type: 'load', rows });
    // What was in doubt, or without a parent, may go now.
    return failure ? this.failed(failure) : ports.informed();
  }

  private async loadPart(part: string, page: string | undefined): Promise<void> {
    const step = await readPart(this.replica, this.ports.transport, part, page);
    if (step.kind === 'failed') return this.failed(step.failure);
    if (step.kind === 'read' && step.isTrimmed) this.ports.incomplete(part);
  }

  private async pull(since: string | undefined): Promise<void> {
    const answeredBefore = new Set(this.replica.answered().map((each) => each.seq));
    const waiting = this.waiting.length;
    const answer = await this.get('pull', { since, collections: this.access.readable.join(',') });
    if (!answer) return;
    const taken = await takePull(this.replica, since, answer.body, answeredBefore);
    if (taken === 'unreadable') return this.failed(NETWORK);
    tellPull(this.ports.tuning.tell, answer);
    if (taken === 'more') return;
    for (const resolve of this.waiting.splice(0, waiting)) resolve(true);
    this.isCaughtUp = this.waiting.length === 0;
    this.lastCaughtUpAt = this.replica.environment.now();
    this.ports.changed();
  }

  private async follow(since: string): Promise<void> {
    const { ports, replica } = this;
    if (!ports.hub) return;
    const token = await ports.auth.token().catch((error: unknown) => tokenFailure(error));
    if (typeof token !== 'string') return this.failed(token);
    const wish = { token, since, collections: this.access.readable, clientSchema: ports.tuning.clientSchema };
    const feed = await feedOf(replica, ports.hub, wish, this.info?.stream?.ping_interval_ms);
    this.feed = feed;
    if (this.isStopped || this.waiting.length > 0) feed.close();
    feed.onLive = () => {
      this.temper = CALM;
      void this.access.worked().catch(() => undefined);
      this.lastContactAt = this.lastCaughtUpAt = this.replica.environment.now();
      this.ports.changed();
      this.ports.informed();
    };
    const end = await feed.run();
    ports.tuning.tell({ type: 'stream', wasLive: end.wasLive, after: end.after });
    this.feed = undefined;
    this.isCaughtUp = false;
    if (this.isStopped) return;
    if (end.resync) return beginLoad(replica, end.resync === 'unknown_cursor');
    if (end.failure && end.failure.kind !== 'transient') {
      if (end.failure.kind === 'auth') ports.auth.refused(token);
      else return this.failed(end.failure);
    }
    if (!end.wasLive || end.failure) this.temper = afterSocketFailure(this.temper, this.conditions());
    else if (end.after === 'soon')
      await this.alarm.sleep(this.conditions().now + Math.round(5_000 * replica.environment.random()));
  }

  private async get(
    path: string,
    query: Readonly<Record<string, string | undefined>>,
    lines?: TakeLines,
  ): Promise<(Answer & { ok: true }) | undefined> {
    const answer = await ask(this.replica, this.ports.transport, path, query, lines);
    if (this.isStopped) return undefined;
    if (answer.ok) {
      this.temper = { ...this.temper, failures: 0 };
      this.lastContactAt = this.replica.environment.now();
      if (path !== 'info') await this.access.worked();
      return answer;
    }
    const { failure } = answer;
    await (failure.kind === 'cursor' ? beginLoad(this.replica, false) : this.failed(failure));
    return undefined;
  }

  /** Waits as the failure asks for. */
  private async failed(failure: Failure): Promise<void> {
    const what = await this.access.failed(failure);
    if (what) this.isInformed = false;
    if (what === 'ask') return;
    const [state, temper] = afterFailure(failure, this.temper, this.conditions());
    this.temper = temper;
    this.enter(state);
    if ('until' in state) await this.alarm.sleep(state.until);
  }

  private askAgain(): void {
    this.isInformed = false;
    this.feed?.close();
    this.alarm.ring();
  }

  private conditions(): Conditions {
    const { hub, tuning } = this.ports;
    const { environment } = this.replica;
    const hasSocket = hub !== undefined && !!this.info?.stream;
    return { now: environment.now(), chance: environment.random(), hasSocket, backoff: tuning.backoff };
  }

  private enter(state: ReaderState): void {
    this.state = state;
    this.ports.changed();
  }
}
