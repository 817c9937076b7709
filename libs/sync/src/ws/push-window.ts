import type { PushId } from 'nest-offline-sync-protocol';

/** What of one socket may be under way at a time. */
export interface PushBounds {
  /** At least 1. */
  readonly pushes: number;
  /** A single push may have more. */
  readonly bytes: number;
}

interface Offered {
  readonly id: PushId;
  /** Of its message. */
  readonly bytes: number;
}

/** What becomes of a push: it begins now, waits for one that ends, or its id is that of another one. */
export type Admission = 'begins' | 'waits' | 'id in use';

/**
 * The pushes of one socket that have no answer yet (invariant 9): so many are under way, the next ones wait in their
 * order. While one waits nothing more should be read from the socket, so that the client's side waits too.
 */
export class PushWindow<T extends Offered> {
  private readonly ids = new Set<string>();
  private readonly waiting: T[] = [];
  private pushes = 0;
  private bytes = 0;

  constructor(private readonly bounds: PushBounds) {}

  /** Pushes that have begun and not ended. */
  get underWay(): number {
    return this.pushes;
  }

  /** Whether one waits for another's end. */
  get isHeldUp(): boolean {
    return this.waiting.length > 0;
  }

  /** @param hold whether nothing may begin now: it waits, whatever there is room for */
  offer(push: T, hold: boolean): Admission {
    const key = keyOf(push);
    if (this.ids.has(key)) return 'id in use';
    this.ids.add(key);
    if (!hold && !this.isHeldUp && this.fits(push)) {
      this.begin(push);
      return 'begins';
    }
    this.waiting.push(push);
    return 'waits';
  }

  /** A push that began has been answered. */
  end(push: T): void {
    this.ids.delete(keyOf(push));
    this.pushes -= 1;
    this.bytes -= push.bytes;
  }

  /** The next one that waits and fits: it has begun then. */
  next(): T | undefined {
    const [first] = this.waiting;
    if (!first || !this.fits(first)) return undefined;
    this.begin(first);
    return this.waiting.shift();
  }

  /** Takes all out that have not begun, in their order. */
  withdraw(): T[] {
    const given = this.waiting.splice(0);
    for (const push of given) this.ids.delete(keyOf(push));
    return given;
  }

  private fits({ bytes }: T): boolean {
    if (this.pushes === 0) return true;
    return this.pushes < this.bounds.pushes && this.bytes + bytes <= this.bounds.bytes;
  }

  private begin({ bytes }: T): void {
    this.pushes += 1;
    this.bytes += bytes;
  }
}

/** 1 and "1" are two ids, as they come back. */
function keyOf({ id }: Offered): string {
  return JSON.stringify(id);
}
