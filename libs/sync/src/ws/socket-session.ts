import type { IncomingMessage } from 'node:http';
import type { Logger } from '@nestjs/common';
import {
  closeFor,
  errorText,
  parseClientMessage,
  STREAM_CLOSE,
  SyncError,
  type ClientMessage,
  type PushMessage,
  type StreamClose,
} from 'nest-offline-sync-protocol';
import type { WallClock } from '../clock/wall-clock';
import type { SyncIdentity } from '../identity/identity';
import type { IdentityService } from '../identity/identity.service';
import type { PushService } from '../push/push.service';
import type { StreamService } from '../stream/stream.service';
import type { SyncSettings } from '../options/settings';
import { asSocketError } from '../failures/failure';
import { Liveness, type Phase, type Pulsing } from './pulse';
import { Outbound, type SharedFrames } from './outbound';
import type { ServerSocket } from './socket-server';
import { SocketCredentials } from './socket-credentials';
import { SocketPushes } from './socket-pushes';
import { SocketSubscriptions } from './socket-subscriptions';
import { BURST, PER_SECOND, TokenBucket } from './token-bucket';
import { Turns } from './turns';

export interface SessionContext {
  readonly identities: IdentityService;
  readonly streams: StreamService;
  readonly pushes: PushService;
  readonly settings: SyncSettings;
  readonly clock: Pick<WallClock, 'now'>;
  readonly logger: Logger;
  readonly frames: SharedFrames;
  /** Called when a socket has closed. */
  closed(session: SocketSession): void;
}

/** One client's socket, from its opening to its close. Nothing that happens in it reaches another one. */
export class SocketSession implements Pulsing {
  private readonly outbound: Outbound;
  private readonly liveness: Liveness;
  private readonly credentials: SocketCredentials;
  private readonly pushes: SocketPushes;
  private readonly subscriptions: SocketSubscriptions;
  private readonly bucket = new TokenBucket(BURST, PER_SECOND, performance.now());
  private subscribeTimer: NodeJS.Timeout | undefined;
  /** Messages that need a check are handled one after another, in the order in which they came. */
  private readonly turns = new Turns();
  private leaving = false;
  private closing = false;

  /** Attaches every listener at once: a message or an error may come with the next event. */
  constructor(
    private readonly socket: ServerSocket,
    upgrade: IncomingMessage,
    private readonly context: SessionContext,
    readonly phase: Phase,
  ) {
    const { identities, streams, settings, clock, frames, pushes, logger } = context;
    const { socketBufferBytes, subscribeTimeoutMs, pingIntervalMs } = settings;
    const { limits } = settings;
    this.outbound = new Outbound(socket, upgrade.socket, socketBufferBytes, frames, () => {
      this.pushes.goOn();
      this.subscriptions.deliver();
    });
    this.credentials = new SocketCredentials(upgrade, identities, subscribeTimeoutMs);
    this.liveness = new Liveness(socket, upgrade.socket, pingIntervalMs);
    const { outbound, credentials } = this;
    const identify = (): Promise<SyncIdentity> => this.pusher();
    this.pushes = new SocketPushes({ socket, outbound, limits, pushes, logger, identify });
    this.subscriptions = new SocketSubscriptions({
      ...{ outbound, credentials, streams, settings, clock, logger },
      enqueue: (task) => this.enqueue(task),
      close: (reason, text) => this.close(reason, text),
      fail: (error) => this.fail(error),
    });
    this.subscribeTimer = setTimeout(
      () => this.close('no_subscribe', 'No subscribe message and no push came in time.'),
      subscribeTimeoutMs,
    );
    socket.on('message', (data, isBinary) => this.receive(data, isBinary));
    socket.on('pong', () => this.liveness.seen());
    // What went wrong on the wire (a frame that is too large, a reset) has closed the socket already.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.end();
      context.closed(this);
    });
  }

  get endsAt(): number {
    return this.credentials.endsAt;
  }

  /** The credentials should have run out. Those that are being checked may be fresh ones. */
  ended(): void {
    this.credentials.endsAt = Infinity;
    this.enqueue(() => this.credentials.review());
  }

  beat(): void {
    if (this.closing) return;
    // Its answers to pings are not read then.
    if (this.pushes.isPaused) this.liveness.seen();
    this.liveness.beat(() => this.outbound.ping(this.subscriptions.ping()));
  }

  /** Closes the socket, with its reason. A client that is to come back comes back with its last version. */
  close(reason: StreamClose, text: string): void {
    if (this.closing) return;
    this.end();
    this.socket.close(STREAM_CLOSE[reason], text);
  }

  /** Closes the socket once the pushes that have begun are answered. Nothing else is sent or taken until then. */
  async leave(reason: StreamClose, text: string): Promise<void> {
    this.leaving = true;
    this.subscriptions.end();
    await this.pushes.leave();
    this.close(reason, text);
  }

  terminate(): void {
    this.end();
    this.socket.terminate();
  }

  private receive(data: Buffer, isBinary: boolean): void {
    if (this.closing) return;
    this.liveness.seen();
    try {
      if (isBinary) throw new SyncError('malformed_request', 'A message must be text, not binary.');
      const message = parseClientMessage(data.toString());
      if (message.type === 'push') return this.pushes.take(message, data.length);
      if (!this.bucket.tryConsume(performance.now()) && !this.subscriptions.isOneOfMany(message))
        return this.tooMany();
      if (!this.leaving) this.handle(message, data.length);
    } catch (error) {
      this.fail(error);
    }
  }

  private tooMany(): void {
    this.close('too_many_messages', `At most ${PER_SECOND} messages a second.`);
  }

  private handle(message: Exclude<ClientMessage, PushMessage>, bytes: number): void {
    const { maxSocketMessageBytes } = this.context.settings.limits;
    if (bytes > maxSocketMessageBytes)
      throw new SyncError('payload_too_large', `A message has at most ${maxSocketMessageBytes} bytes.`);
    if (message.type === 'pong') return;
    if (message.type === 'token') return this.enqueue(() => this.renew(message.token));
    if (message.type === 'subscribe') this.expectNothing();
    this.subscriptions.take(message);
  }

  /**
   * Who pushes, if the credentials hold at this moment. A push of a socket that has none counts as a message: each costs a
   * check.
   *
   * @throws SyncError `unauthenticated` without credentials or when they have run out; as {@link SocketCredentials.identify}
   */
  private pusher(): Promise<SyncIdentity> {
    return this.turns.take(async () => {
      const identity = await this.credentials.identify(undefined).catch((error: unknown): never => {
        if (!this.bucket.tryConsume(performance.now())) this.tooMany();
        throw asSocketError(error);
      });
      // A message before this one may have closed the socket, with the token of somebody else for example.
      if (this.closing) throw new SyncError('unavailable', 'The socket has closed. Send it again.');
      this.credentials.review();
      this.expectNothing();
      return identity;
    });
  }

  private async renew(token: string): Promise<void> {
    await this.subscriptions.renew(await this.credentials.identify(token));
  }

  private enqueue(task: () => void | Promise<void>): void {
    this.turns
      .take(async () => (this.closing ? undefined : task()))
      .catch((error: unknown) => this.fail(error));
  }

  private fail(error: unknown): void {
    if (this.closing) return;
    const known = asSocketError(error);
    if (closeFor(known) === 'internal')
      this.context.logger.error(
        { message: 'A socket was closed by an error', code: known.code },
        error instanceof Error ? error.stack : undefined,
      );
    this.outbound.text(errorText(known));
    this.close(closeFor(known), known.code);
  }

  /** A subscribe message has come, or none will: the timer is let go too. */
  private expectNothing(): void {
    clearTimeout(this.subscribeTimer);
    this.subscribeTimer = undefined;
  }

  private end(): void {
    this.closing = true;
    this.expectNothing();
    this.subscriptions.end();
    this.pushes.end();
  }
}
