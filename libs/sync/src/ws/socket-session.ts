import type { IncomingMessage } from 'node:http';
import type { Logger } from '@nestjs/common';
import { within } from '../database/waiting';
import type { SyncIdentity } from '../identity/identity';
import type { IdentityService } from '../identity/identity.service';
import { SyncError } from '../protocol/errors';
import {
  closeFor,
  errorText,
  fullResyncText,
  parseClientMessage,
  pingText,
  scopeLostText,
  scopeText,
  STREAM_CLOSE,
  subscribedText,
  type ClientMessage,
  type StreamClose,
  type SubscribeMessage,
} from '../protocol/stream';
import type { StreamService } from '../stream/stream.service';
import type { SyncSettings } from '../options/settings';
import { asSocketError } from '../http/failure';
import { Liveness, type Phase, type Pulsing } from './pulse';
import { Outbound, type SharedFrames } from './outbound';
import type { ServerSocket } from './socket-server';
import { notInTime, SocketCredentials } from './socket-credentials';
import { Subscriptions, type Delivery, type Subscribed } from './subscriptions';
import { TokenBucket } from './token-bucket';

export interface SessionContext {
  readonly identities: IdentityService;
  readonly streams: StreamService;
  readonly settings: SyncSettings;
  readonly logger: Logger;
  readonly frames: SharedFrames;
  /** Called when a socket has closed. */
  closed(session: SocketSession): void;
}

/** Messages that a client may send at once, and each second after that. */
const BURST = 40;
const PER_SECOND = 10;

/** A subscribe or unsubscribe that is under way; `scope` as the client named it. */
interface Wish {
  readonly scope: string | undefined;
}

/** One client's socket, from its opening to its close. Nothing that happens in it reaches another one. */
export class SocketSession implements Pulsing {
  private readonly outbound: Outbound;
  private readonly liveness: Liveness;
  private readonly credentials: SocketCredentials;
  private readonly bucket = new TokenBucket(BURST, PER_SECOND, performance.now());
  private subscribeTimer: NodeJS.Timeout | undefined;
  /** Messages that need a check are handled one after another, in the order in which they came. */
  private work: Promise<void> = Promise.resolve();
  /** In the order in which they came: of a scope the newest counts, whatever an older one still has under way. */
  private readonly wishes: Wish[] = [];
  private readonly subscriptions: Subscriptions;
  /** Whether the client has named a scope: it is told from then on what is of which. */
  private namesScopes = false;
  /** The scope of the entry that was sent last, where that is told. */
  private saidScope: string | undefined;
  /** Further subscriptions that may come at once: a client with many scopes comes back with all of them. */
  private subscribeBucket: TokenBucket | undefined;
  private closing = false;

  /** Attaches every listener at once: a message or an error may come with the next event. */
  constructor(
    private readonly socket: ServerSocket,
    upgrade: IncomingMessage,
    private readonly context: SessionContext,
    readonly phase: Phase,
  ) {
    const { identities, streams, settings, frames } = context;
    const { socketBufferBytes, subscribeTimeoutMs, pingIntervalMs } = settings;
    this.outbound = new Outbound(socket, upgrade.socket, socketBufferBytes, frames, () => this.deliver());
    this.subscriptions = new Subscriptions(streams.bounds, () => this.deliver());
    this.credentials = new SocketCredentials(upgrade, identities, subscribeTimeoutMs);
    this.liveness = new Liveness(socket, upgrade.socket, pingIntervalMs);
    this.subscribeTimer = setTimeout(
      () => this.close('no_subscribe', 'No subscribe message came in time.'),
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
    this.liveness.beat(() => this.outbound.ping(this.ping()));
  }

  /** Closes the socket, with its reason. A client that is to come back comes back with its last version. */
  close(reason: StreamClose, text: string): void {
    if (this.closing) return;
    this.end();
    this.socket.close(STREAM_CLOSE[reason], text);
  }

  terminate(): void {
    this.end();
    this.socket.terminate();
  }

  private receive(data: Buffer, isBinary: boolean): void {
    if (this.closing) return;
    this.liveness.seen();
    try {
      if (!this.bucket.tryConsume(performance.now()) && !(!isBinary && this.isOneOfMany(data)))
        return this.close('too_many_messages', `At most ${PER_SECOND} messages a second.`);
      if (isBinary) throw new SyncError('malformed_request', 'A message must be text, not binary.');
      this.handle(parseClientMessage(data.toString()));
    } catch (error) {
      this.fail(error);
    }
  }

  /** Whether it is a subscription of a scope, and not more of these than a socket may have. */
  private isOneOfMany(data: Buffer): boolean {
    const { maxSubscriptions } = this.context.settings.limits;
    const now = performance.now();
    this.subscribeBucket ??= new TokenBucket(maxSubscriptions, PER_SECOND, now);
    return this.subscribeBucket.tryConsume(now) && asksForScope(data.toString());
  }

  private handle(message: ClientMessage): void {
    if (message.type === 'pong') return;
    if (message.type === 'token') return this.enqueue(() => this.renew(message.token));
    const wish: Wish = { scope: message.scope };
    const { maxSubscriptions } = this.context.settings.limits;
    if (this.wishes.length > maxSubscriptions + BURST)
      throw new SyncError(
        'too_many_subscriptions',
        'Too many subscribe and unsubscribe messages wait for their turn. Send fewer at a time.',
      );
    this.wishes.push(wish);
    // Where nobody is known yet, nothing is running.
    const scope = wish.scope ?? this.credentials.scopeId;
    if (scope !== undefined) this.subscriptions.stop(scope);
    if (message.type === 'subscribe') {
      if (message.scope !== undefined && !this.namesScopes) this.saidScope = undefined;
      this.namesScopes ||= message.scope !== undefined;
      this.expectNothing();
    }
    this.enqueue(async () => {
      try {
        if (message.type === 'subscribe') await this.subscribe(message, wish);
      } finally {
        this.fulfilled(wish);
      }
    });
  }

  private async subscribe(message: SubscribeMessage, wish: Wish): Promise<void> {
    const { since, collections, token, scopeId, ack } = message;
    const identity = await this.credentials.identify(token);
    if (scopeId !== undefined && scopeId !== identity.scopeId)
      throw new SyncError('forbidden', 'The scope of the token is another one. Leave scope_id out.', {
        path: 'scope_id',
      });
    const scope = message.scope ?? identity.scopeId;
    try {
      this.expectRoom(scope);
      await this.start({ scope, collections, since }, wish, (names) => {
        if (ack) this.outbound.text(subscribedText(names, since, this.told(scope)));
      });
    } catch (error) {
      this.failOne(scope, error);
    }
  }

  /** @throws SyncError `too_many_subscriptions` */
  private expectRoom(scope: string): void {
    const { maxSubscriptions } = this.context.settings.limits;
    if (this.subscriptions.size < maxSubscriptions || this.subscriptions.get(scope)) return;
    throw new SyncError(
      'too_many_subscriptions',
      `A socket has at most ${maxSubscriptions} subscriptions. Unsubscribe from another scope, or open another socket.`,
    );
  }

  /** Fresh credentials. They may read less, or more, than those before. */
  private async renew(token: string): Promise<void> {
    const identity = await this.credentials.identify(token);
    await Promise.all(this.subscriptions.all().map((subscribed) => this.renewOne(identity, subscribed)));
  }

  private async renewOne(identity: SyncIdentity, subscribed: Subscribed): Promise<void> {
    const { scope, asked, subscription } = subscribed;
    const { streams, settings } = this.context;
    try {
      const names = await within(
        settings.subscribeTimeoutMs,
        () => streams.renewed(identity, subscription, asked),
        notInTime,
      );
      if (this.subscriptions.get(scope) !== subscribed || sameNames(names, subscription.collections)) return;
      const since = subscription.position?.version ?? subscription.since;
      this.subscriptions.stop(scope);
      const wish: Wish = { scope };
      this.wishes.push(wish);
      await this.start({ scope, collections: asked, since }, wish).finally(() => this.fulfilled(wish));
    } catch (error) {
      const current = this.subscriptions.get(scope);
      if (!current || current === subscribed) this.failOne(scope, error);
    }
  }

  private async start(
    what: { scope: string; collections: readonly string[] | undefined; since: string | undefined },
    wish: Wish,
    announce: (collections: readonly string[]) => void = () => undefined,
  ): Promise<void> {
    const { scope, collections, since } = what;
    if (this.isOvertaken(wish, scope)) return;
    const { streams, settings } = this.context;
    const identity = await this.credentials.identify(undefined);
    const subscription = await within(
      settings.subscribeTimeoutMs,
      () => streams.open(identity, { scope, since, collections }, undefined, this.subscriptions),
      notInTime,
    );
    if (this.closing || this.isOvertaken(wish, scope)) return subscription.close();
    announce(subscription.collections);
    this.subscriptions.start({ scope, asked: collections, subscription });
  }

  private fulfilled(wish: Wish): void {
    this.wishes.splice(this.wishes.indexOf(wish), 1);
  }

  /** Whether the client has said something newer about the scope. */
  private isOvertaken(wish: Wish, scope: string): boolean {
    const newer = this.wishes.slice(this.wishes.indexOf(wish) + 1);
    return newer.some((other) => (other.scope ?? this.credentials.scopeId) === scope);
  }

  /** Sends what there is, as long as there is room: called when there may be more of either. */
  private deliver(): void {
    try {
      for (let room = this.outbound.room; room > 0 && !this.closing; room = this.outbound.room) {
        const delivery = this.subscriptions.next(room);
        if (!delivery) return;
        this.hand(delivery);
      }
    } catch (error) {
      this.fail(error);
    }
  }

  private hand(delivery: Delivery): void {
    const { scope } = delivery.of;
    if ('error' in delivery) return this.failOne(scope, delivery.error);
    const { next } = delivery;
    if (!('kind' in next)) {
      if (this.namesScopes && this.saidScope !== scope) this.outbound.text(scopeText(scope));
      this.saidScope = this.told(scope);
      return this.outbound.entries(next);
    }
    this.subscriptions.stop(scope);
    if (next.kind === 'scope_lost') return this.outbound.text(scopeLostText(scope));
    this.outbound.text(fullResyncText(next.collections, next.reason, this.told(scope)));
    if (!this.namesScopes) this.close('done', 'Load everything again (GET full), then subscribe again.');
  }

  /** A subscription has failed. It ends alone, for a client that is told of scopes. */
  private failOne(scope: string, error: unknown): void {
    const known = asSocketError(error);
    if (!this.namesScopes || this.closing || closeFor(known) === 'restart') return this.fail(error);
    this.log(known, error);
    this.subscriptions.stop(scope);
    this.outbound.text(errorText(known, scope));
  }

  /** The scope, for a client that is told of scopes. */
  private told(scope: string): string | undefined {
    return this.namesScopes ? scope : undefined;
  }

  private ping(): string {
    const own = this.credentials.scopeId;
    const at = own === undefined ? undefined : this.subscriptions.get(own)?.subscription.position;
    return pingText(at, this.namesScopes ? this.subscriptions.positions() : undefined);
  }

  private enqueue(task: () => void | Promise<void>): void {
    this.work = this.work
      .then(() => (this.closing ? undefined : task()))
      .catch((error: unknown) => this.fail(error));
  }

  private fail(error: unknown): void {
    if (this.closing) return;
    const known = asSocketError(error);
    this.log(known, error);
    this.outbound.text(errorText(known));
    this.close(closeFor(known), known.code);
  }

  private log(known: SyncError, error: unknown): void {
    if (closeFor(known) !== 'internal') return;
    this.context.logger.error(
      { message: 'A socket was closed by an error', code: known.code },
      error instanceof Error ? error.stack : undefined,
    );
  }

  /** A subscribe message has come, or none will: the timer is let go too. */
  private expectNothing(): void {
    clearTimeout(this.subscribeTimer);
    this.subscribeTimer = undefined;
  }

  private end(): void {
    this.closing = true;
    this.expectNothing();
    this.subscriptions.stopAll();
  }
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}

function asksForScope(text: string): boolean {
  try {
    const message = parseClientMessage(text);
    return message.type === 'subscribe' && message.scope !== undefined;
  } catch {
    return false;
  }
}
