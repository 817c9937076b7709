import type { Position } from 'nest-offline-sync-protocol';
import type { FollowerBounds } from '../stream/follower';
import type { StreamSubscription } from '../stream/stream-subscription';

/** What a subscription has for its client, or what it has ended with. */
export type Delivery =
  | { readonly of: Subscribed; readonly next: NonNullable<ReturnType<StreamSubscription['next']>> }
  | { readonly of: Subscribed; readonly error: unknown };

/** One subscription of a socket. */
export interface Subscribed {
  readonly scope: string;
  /** The collections that it has asked for; undefined: all. */
  readonly asked: readonly string[] | undefined;
  readonly clientSchema?: string | undefined;
  readonly clientId?: string | undefined;
  readonly subscription: StreamSubscription;
}

/**
 * Subscriptions of one socket that may hold a page of the log at a time. The others wait for their turn to read: so what a
 * socket holds does not grow with the number of its scopes (invariant 9).
 */
const PAGES_HELD = 4;

/** Live entries of one scope that may wait in a socket, however many scopes it has. */
const LEAST = { entries: 256, bytes: 64 << 10 };

/**
 * The subscriptions of one socket, one a scope, and whose turn it is: each in turn, none before all others had theirs. What
 * may wait for one of them (`entries`, `bytes`) is its share of what a socket with one alone would have.
 */
export class Subscriptions implements FollowerBounds {
  private readonly running = new Map<string, Subscribed>();
  /** Those that may have something new, the one that waits longest first. */
  private readonly ready = new Set<Subscribed>();

  /**
   * @param total what may wait in one socket
   * @param changed called when {@link next} may have something. It must not throw
   */
  constructor(
    private readonly total: FollowerBounds,
    private readonly changed: () => void,
  ) {}

  get entries(): number {
    return this.share('entries');
  }

  get bytes(): number {
    return this.share('bytes');
  }

  get size(): number {
    return this.running.size;
  }

  get(scope: string): Subscribed | undefined {
    return this.running.get(scope);
  }

  all(): Subscribed[] {
    return [...this.running.values()];
  }

  /** Takes the place of an earlier one of the scope. */
  start(subscribed: Subscribed): void {
    const { scope, subscription } = subscribed;
    this.stop(scope);
    this.running.set(scope, subscribed);
    this.ready.add(subscribed);
    subscription.open(() => {
      if (this.running.get(scope) !== subscribed) return;
      this.ready.add(subscribed);
      this.changed();
    });
    this.changed();
  }

  stop(scope: string): void {
    const subscribed = this.running.get(scope);
    if (!subscribed) return;
    this.running.delete(scope);
    this.ready.delete(subscribed);
    subscribed.subscription.close();
  }

  stopAll(): void {
    for (const scope of [...this.running.keys()]) this.stop(scope);
  }

  /**
   * What is to be sent next: a run of entries of one scope, or its end. Nothing for now when all have been asked.
   *
   * @param bytes as StreamSubscription.next
   */
  next(bytes: number): Delivery | undefined {
    let room = PAGES_HELD - this.pagesHeld;
    for (const subscribed of [...this.ready]) {
      const { subscription } = subscribed;
      if (subscription.wantsPage && room-- <= 0) continue;
      this.ready.delete(subscribed);
      try {
        const next = subscription.next(bytes);
        if (next === undefined) continue;
        // At the end of the line: there may be more.
        this.ready.add(subscribed);
        return { of: subscribed, next };
      } catch (error) {
        return { of: subscribed, error };
      }
    }
    return undefined;
  }

  /** Where the client stands in each scope. */
  *positions(): Generator<readonly [string, Position]> {
    for (const [scope, { subscription }] of this.running) {
      const { position } = subscription;
      if (position) yield [scope, position];
    }
  }

  private share(of: keyof FollowerBounds): number {
    const { [of]: total } = this.total;
    return Math.max(Math.min(total, LEAST[of]), Math.floor(total / Math.max(1, this.running.size)));
  }

  private get pagesHeld(): number {
    let held = 0;
    for (const { subscription } of this.running.values()) if (subscription.holdsPage) held += 1;
    return held;
  }
}
