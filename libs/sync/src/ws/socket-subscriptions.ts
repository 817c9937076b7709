import type { Logger } from '@nestjs/common';
import {
  closeFor,
  errorText,
  fullResyncText,
  pingText,
  scopeLostText,
  scopeText,
  subscribedText,
  SyncError,
  ZERO_VERSION,
  type Cursor,
  type StreamClose,
  type SubscribeMessage,
  type UnsubscribeMessage,
} from 'nest-offline-sync-protocol';
import { isoTime } from '../clock/bounded-wall';
import type { WallClock } from '../clock/wall-clock';
import { within } from '../database/waiting';
import { asSocketError } from '../failures/failure';
import type { SyncIdentity } from '../identity/identity';
import { sameNames } from '../log/selection';
import type { SyncSettings } from '../options/settings';
import type { StreamService } from '../stream/stream.service';
import type { Outbound } from './outbound';
import { notInTime, type SocketCredentials } from './socket-credentials';
import { Subscriptions, type Delivery, type Subscribed } from './subscriptions';
import { BURST, PER_SECOND, TokenBucket } from './token-bucket';

/** What the subscriptions of a socket work with. */
export interface SubscriptionSurroundings {
  readonly outbound: Outbound;
  readonly credentials: SocketCredentials;
  readonly streams: StreamService;
  readonly settings: SyncSettings;
  readonly clock: Pick<WallClock, 'now'>;
  readonly logger: Logger;
  /** Runs a task after those before it. What it fails with closes the socket. */
  enqueue(task: () => Promise<void>): void;
  readonly close: (reason: StreamClose, text: string) => void;
  readonly fail: (error: unknown) => void;
}

/** A subscribe or unsubscribe that is under way; `scope` as the client named it. */
interface Wish {
  readonly scope: string | undefined;
}

interface Asked {
  readonly scope: string;
  readonly collections: readonly string[] | undefined;
  readonly clientSchema: string | undefined;
  readonly clientId: string | undefined;
  readonly since: Cursor | undefined;
  readonly expectedIdentity?: string | undefined;
}

/**
 * What a client says and is told of its subscriptions. A client that has named a scope is told of which scope everything
 * is, and what ends one subscription ends no other; one that never did has one subscription, and its socket ends with it.
 */
export class SocketSubscriptions {
  private readonly running: Subscriptions;
  /** In the order in which they came: of a scope the newest counts, whatever an older one still has under way. */
  private readonly wishes: Wish[] = [];
  private namesScopes = false;
  /** The scope of the entry that was sent last, for a client that is told of scopes. */
  private saidScope: string | undefined;
  /** Further subscriptions that may come at once: a client with many scopes comes back with all of them. */
  private bucket: TokenBucket | undefined;
  private ended = false;

  constructor(private readonly around: SubscriptionSurroundings) {
    this.running = new Subscriptions(around.streams.bounds, () => this.deliver());
  }

  /**
   * Whether a message that is one too many begins or ends a subscription of a scope: a socket may have many, and say so at
   * once.
   */
  isOneOfMany(message: { readonly type: string; readonly scope?: string | undefined }): boolean {
    if (!['subscribe', 'unsubscribe'].includes(message.type) || message.scope === undefined) return false;
    const now = performance.now();
    this.bucket ??= new TokenBucket(this.limit, PER_SECOND, now);
    return this.bucket.tryConsume(now);
  }

  /** @throws SyncError `too_many_subscriptions` when too much is under way already */
  take(message: SubscribeMessage | UnsubscribeMessage): void {
    if (this.wishes.length >= this.limit + BURST)
      throw new SyncError(
        'too_many_subscriptions',
        'Too many subscribe and unsubscribe messages wait for their turn. Send fewer at a time.',
      );
    const wish: Wish = { scope: message.scope };
    this.wishes.push(wish);
    // Where nobody is known yet, nothing is running.
    const scope = this.scopeOf(wish);
    if (scope !== undefined) this.running.stop(scope);
    if (message.type === 'subscribe' && message.scope !== undefined && !this.namesScopes) {
      this.namesScopes = true;
      this.saidScope = undefined;
    }
    this.around.enqueue(async () => {
      try {
        if (message.type === 'subscribe') await this.subscribe(message, wish);
      } finally {
        this.fulfilled(wish);
      }
    });
  }

  /** Fresh credentials: they may read less, or more, than those before. */
  async renew(identity: SyncIdentity): Promise<void> {
    await Promise.all(this.running.all().map((subscribed) => this.renewOne(identity, subscribed)));
  }

  /** Sends what there is, as long as there is room: called when there may be more of either. */
  deliver(): void {
    const { outbound } = this.around;
    try {
      for (let { room } = outbound; room > 0 && !this.ended; { room } = outbound) {
        const delivery = this.running.next(room);
        if (!delivery) return;
        this.hand(delivery);
      }
    } catch (error) {
      this.around.fail(error);
    }
  }

  /** Where the client stands. */
  ping(): string {
    const own = this.around.credentials.scopeId;
    const at = own === undefined ? undefined : this.running.get(own)?.subscription.position;
    this.tellRegister();
    const positions = this.namesScopes ? this.running.positions() : undefined;
    return pingText(at, positions, isoTime(this.around.clock.now()));
  }

  /** A quiet device is there all the same. */
  private tellRegister(): void {
    const { credentials, streams } = this.around;
    if (!credentials.known) return;
    for (const subscribed of this.running.all())
      streams.heard(credentials.known, subscribed.scope, subscribed, subscribed.subscription.position);
  }

  /** Nothing more is sent, and what is under way counts for nothing. */
  end(): void {
    this.ended = true;
    this.running.stopAll();
  }

  private get limit(): number {
    return this.around.settings.limits.maxSubscriptions;
  }

  private async subscribe(message: SubscribeMessage, wish: Wish): Promise<void> {
    const { since, collections, clientSchema, clientId, token, scopeId, expectedIdentity, ack } = message;
    const identity = await this.around.credentials.identify(token);
    if (scopeId !== undefined && scopeId !== identity.scopeId)
      throw new SyncError('forbidden', 'The scope of the token is another one. Leave scope_id out.', {
        path: 'scope_id',
      });
    const scope = message.scope ?? identity.scopeId;
    try {
      this.expectRoom(scope);
      await this.start({ scope, collections, clientSchema, clientId, since, expectedIdentity }, wish, ack);
    } catch (error) {
      this.failOne(scope, error);
    }
  }

  /** @throws SyncError `too_many_subscriptions` */
  private expectRoom(scope: string): void {
    if (this.running.size < this.limit || this.running.get(scope)) return;
    throw new SyncError(
      'too_many_subscriptions',
      `A socket has at most ${this.limit} subscriptions. Unsubscribe from another scope, or open another socket.`,
    );
  }

  private async renewOne(identity: SyncIdentity, subscribed: Subscribed): Promise<void> {
    const { scope, asked, clientSchema, clientId, subscription } = subscribed;
    const { streams, settings } = this.around;
    try {
      const names = await within(
        settings.subscribeTimeoutMs,
        () => streams.renewed(identity, subscription, asked),
        notInTime,
      );
      if (this.running.get(scope) !== subscribed || sameNames(names, subscription.collections)) return;
      const since = subscription.position?.version ?? subscription.since;
      this.running.stop(scope);
      const wish: Wish = { scope };
      this.wishes.push(wish);
      const again: Asked = { scope, collections: asked, clientSchema, clientId, since };
      await this.start(again, wish).finally(() => this.fulfilled(wish));
    } catch (error) {
      const current = this.running.get(scope);
      if (current && current !== subscribed) return;
      if (isOut(error) && this.namesScopes) this.lose(scope);
      else this.failOne(scope, error);
    }
  }

  private async start(asked: Asked, wish: Wish, ack = false): Promise<void> {
    const { scope, collections, clientSchema, clientId, since, expectedIdentity } = asked;
    if (this.isOvertaken(wish, scope)) return;
    const { outbound, credentials, streams, settings } = this.around;
    const identity = await credentials.identify(undefined);
    const request = {
      scope,
      ...(typeof since === 'number' ? { since_seq: since } : { since }),
      collections,
      client_schema: clientSchema,
      expected_identity: expectedIdentity,
    };
    const opening = streams.open(identity, request, undefined, this.running);
    const subscription = await within(
      settings.subscribeTimeoutMs,
      () => opening,
      () => {
        // Nobody will use it: the app is not to be asked about it for ever.
        void opening.then((late) => late.close()).catch(() => undefined);
        return notInTime();
      },
    );
    if (this.ended || this.isOvertaken(wish, scope)) return subscription.close();
    const fingerprint = streams.fingerprint(identity);
    if (ack) outbound.text(subscribedText(subscription.collections, since, this.told(scope), fingerprint));
    this.running.start({ scope, asked: collections, clientSchema, clientId, subscription });
    streams.heard(
      identity,
      scope,
      asked,
      typeof since === 'number' ? { seq: since } : { version: since ?? ZERO_VERSION },
    );
  }

  private scopeOf({ scope }: Wish): string | undefined {
    return scope ?? this.around.credentials.scopeId;
  }

  private fulfilled(wish: Wish): void {
    this.wishes.splice(this.wishes.indexOf(wish), 1);
  }

  /** Whether the client has said something newer about the scope. */
  private isOvertaken(wish: Wish, scope: string): boolean {
    const newer = this.wishes.slice(this.wishes.indexOf(wish) + 1);
    return newer.some((other) => this.scopeOf(other) === scope);
  }

  private hand(delivery: Delivery): void {
    const { outbound, close } = this.around;
    const { scope } = delivery.of;
    if ('error' in delivery) return this.failOne(scope, delivery.error);
    const { next } = delivery;
    if (!('kind' in next)) {
      if (this.namesScopes && this.saidScope !== scope) outbound.text(scopeText(scope));
      this.saidScope = this.told(scope);
      return outbound.entries(next);
    }
    if (next.kind === 'scope_lost') return this.lose(scope);
    this.running.stop(scope);
    outbound.text(fullResyncText(next.collections, next.reason, this.told(scope)));
    if (!this.namesScopes) close('done', 'Load everything again (GET full), then subscribe again.');
  }

  private lose(scope: string): void {
    this.running.stop(scope);
    this.around.outbound.text(scopeLostText(scope));
  }

  /** A subscription has failed. It ends alone, for a client that is told of scopes. */
  private failOne(scope: string, error: unknown): void {
    const { outbound, logger, fail } = this.around;
    const known = asSocketError(error);
    const close = closeFor(known);
    if (!this.namesScopes || this.ended || close === 'restart') return fail(error);
    if (close === 'internal')
      logger.error(
        { message: 'A subscription was ended by an error', code: known.code },
        error instanceof Error ? error.stack : undefined,
      );
    this.running.stop(scope);
    outbound.text(errorText(known, scope));
  }

  /** The scope, for a client that is told of scopes. */
  private told(scope: string): string | undefined {
    return this.namesScopes ? scope : undefined;
  }
}

function isOut(error: unknown): boolean {
  return error instanceof SyncError && error.code === 'scope_forbidden';
}
