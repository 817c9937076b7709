import { randomInt, randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { SyncError } from 'nest-offline-sync-protocol';
import { errorKind } from '../database/errors';
import { Turns, within } from '../database/waiting';
import { identityText, type SyncIdentity } from '../identity/identity';
import { ownIdentity, ScopeAccess } from '../identity/scope-access';
import type { StreamChange } from '../log/entry';
import { OplogRepository } from '../log/oplog';
import type { SyncSettings } from '../options/settings';
import type { IdValue } from '../options/sync.options';
import { SYNC_SETTINGS } from '../options/tokens';
import { actorOfNotice, noticeOf, NOTICES, oldNotices } from './access-notice';
import { ChangeStreamHub, type HubSubscriber } from './change-stream-hub';
import { ScopeRight } from './scope-right';

/** One subscriber's right to a scope that is not its own, looked after for as long as it listens. */
export class ScopeWatch {
  /** Called when {@link state} may have changed. It must not throw. */
  wake: () => void = () => undefined;

  /** @internal */
  constructor(
    /** @internal */
    readonly right: ScopeRight,
    private who: SyncIdentity,
    /** @internal */
    readonly stop: (watch: ScopeWatch) => void,
  ) {}

  /** In the watched scope. */
  get identity(): SyncIdentity {
    return this.who;
  }

  get state(): ScopeRight['state'] {
    return this.right.state;
  }

  /** Fresh credentials of the same actor: the app is asked with these from now on. */
  renew(identity: SyncIdentity): void {
    this.who = identity;
  }

  close(): void {
    this.stop(this);
  }
}

/** An identity in a scope; `watch` where the app may take it out again. */
export interface Entered {
  readonly identity: SyncIdentity;
  readonly watch?: ScopeWatch;
}

/** How often is looked which watches are due, at the latest. Milliseconds. */
const LONGEST_TICK_MS = 1_000;
const PAUSE_MS = 500;
/** Questions without an answer in a row. */
const TRIES = 3;
/** Questions to the app that run at the same time: a change may concern thousands of sockets. */
const ASKED_AT_ONCE = 64;

/**
 * Asks the app again whether those who listen to scopes of others still may (invariant 5): after each
 * `scopeCheckIntervalMs`, and at once when the app says that somebody's access has changed, in whichever process.
 */
@Injectable()
export class ScopeWatches implements HubSubscriber, OnApplicationShutdown {
  private readonly logger = new Logger('SyncModule');
  private readonly turns = new Turns(ASKED_AT_ONCE);
  private readonly watches = new Map<string, Set<ScopeWatch>>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly access: ScopeAccess,
    private readonly oplog: OplogRepository,
    hub: ChangeStreamHub,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {
    hub.overhear(NOTICES, this);
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** Subscriptions to scopes that are not their identity's own. */
  get size(): number {
    return [...this.watches.values()].reduce((sum, ofActor) => sum + ofActor.size, 0);
  }

  /**
   * Lets an identity into a scope to stay there. Close the watch in the end.
   *
   * @returns the identity in the scope; with a watch, unless that is its own scope
   * @throws SyncError as ScopeAccess.enter
   */
  async enter(identity: SyncIdentity, scope: string | undefined): Promise<Entered> {
    const own = ownIdentity(identity);
    if (scope === undefined || scope === own.scopeId)
      return { identity: await this.access.enter(identity, scope, 'read') };
    // Watched before the app is asked: what changes from then on is not missed.
    const watch = this.add(own);
    try {
      watch.right.ask(performance.now());
      watch.renew(await this.access.enter(own, scope, 'read'));
      watch.right.answered(true, performance.now());
      this.look(watch);
      return { identity: watch.identity, watch };
    } catch (error) {
      watch.close();
      throw error;
    }
  }

  /**
   * Has the app asked again about everything that an actor listens to, in all processes. Until it has answered nothing
   * more is delivered.
   *
   * @throws an error of the database when the other processes could not be told: they ask after `scopeCheckIntervalMs`;
   *   SyncError `configuration` for what is no actor
   */
  async accessChanged(actor: IdValue): Promise<void> {
    const actorId = identityText(actor);
    if (actorId === undefined)
      throw new SyncError(
        'configuration',
        'sync.accessChanged needs the id of an actor: a string, a whole number or an ObjectId, as actorIdField gives it.',
        { path: 'actorId' },
      );
    this.changed(actorId);
    const now = new Date();
    const notice = noticeOf(actorId, now, randomUUID(), randomInt(2 ** 47));
    await within(this.settings.retryDeadlineMs, () => this.oplog.entries.insertOne(notice));
    this.oplog.entries.deleteMany(oldNotices(now)).catch((error: unknown) => {
      // The next call removes them.
      this.logger.warn({ message: 'Old notices stay for now', reason: errorKind(error) });
    });
  }

  /** Notices of all processes, of this one too. */
  offer(notices: readonly StreamChange[]): void {
    for (const { wire } of notices) {
      const actorId = actorOfNotice(wire);
      if (actorId !== undefined) this.changed(actorId);
    }
  }

  /** There is a change stream again, and what was said without one was not heard: everybody is asked about. */
  opened(): void {
    for (const watch of this.all()) watch.right.expire(performance.now());
    this.tick();
  }

  lost(): void {
    // See opened().
  }

  closed(): void {
    // Those who listen are told.
  }

  private add(identity: SyncIdentity): ScopeWatch {
    const { scopeCheckIntervalMs: intervalMs } = this.settings;
    const right = new ScopeRight({ intervalMs, pauseMs: PAUSE_MS, tries: TRIES }, performance.now());
    const watch = new ScopeWatch(right, identity, (ended) => this.stop(ended));
    const ofActor = this.watches.get(identity.actorId) ?? new Set();
    this.watches.set(identity.actorId, ofActor.add(watch));
    this.timer ??= setInterval(() => this.tick(), Math.min(LONGEST_TICK_MS, intervalMs / 4)).unref();
    return watch;
  }

  private changed(actorId: string): void {
    for (const watch of this.watches.get(actorId) ?? []) {
      watch.right.changed(performance.now());
      this.look(watch);
    }
  }

  private tick(): void {
    for (const watch of this.all()) this.look(watch);
  }

  private look(watch: ScopeWatch): void {
    const now = performance.now();
    if (!watch.right.isDue(now)) return;
    watch.right.ask(now);
    void this.turns.run(() => this.askAbout(watch));
  }

  private async askAbout(watch: ScopeWatch): Promise<void> {
    const { right, identity } = watch;
    const before = right.state;
    try {
      // A question that waited for its turn is asked now.
      right.ask(performance.now());
      await this.access.enter(ownIdentity(identity), identity.scopeId, 'read');
      right.answered(true, performance.now());
    } catch (error) {
      if (error instanceof SyncError && error.code === 'scope_forbidden')
        right.answered(false, performance.now());
      else right.failed(error, performance.now());
    }
    if (right.state === 'lost' || right.state === 'failed') this.stop(watch);
    else if (this.has(watch)) this.look(watch);
    if (right.state !== before) watch.wake();
  }

  private has(watch: ScopeWatch): boolean {
    return this.watches.get(watch.identity.actorId)?.has(watch) === true;
  }

  private stop(watch: ScopeWatch): void {
    const { actorId } = watch.identity;
    const ofActor = this.watches.get(actorId);
    if (!ofActor?.delete(watch)) return;
    if (ofActor.size === 0) this.watches.delete(actorId);
    if (this.watches.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private *all(): Generator<ScopeWatch> {
    for (const ofActor of this.watches.values()) yield* ofActor;
  }
}
