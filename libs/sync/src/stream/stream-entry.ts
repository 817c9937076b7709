import type { ResyncReason } from '../protocol/pull';

/** A place in a scope's log. */
export interface LogPosition {
  readonly version: string;
  readonly seq: number;
}

/** One log entry on its way to subscribers. All subscribers of a process share the object. */
export class StreamEntry implements LogPosition {
  readonly kind = 'change';

  /** @param wire the entry's own JSON text (a LogChange) in UTF-8, exactly as pull sends it; shared: never write into it */
  constructor(
    readonly version: string,
    readonly seq: number,
    readonly wire: Buffer,
  ) {}

  get bytes(): number {
    return this.wire.length;
  }

  get json(): string {
    return this.wire.toString();
  }
}

/** An entry as the change stream gives it: of whatever collection. */
export class LiveEntry extends StreamEntry {
  constructor(
    version: string,
    seq: number,
    wire: Buffer,
    readonly collection: string,
  ) {
    super(version, seq, wire);
  }
}

/** What a subscription yields. After `resync` it ends: the client needs a full resync before it subscribes again. */
export type StreamMessage = StreamEntry | StreamResync;

export interface StreamResync {
  readonly kind: 'resync';
  readonly reason: ResyncReason;
  readonly collections: readonly string[];
}
