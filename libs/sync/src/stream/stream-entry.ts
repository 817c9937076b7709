import type { ResyncReason } from '../protocol/pull';

/** A place in a scope's log. */
export interface LogPosition {
  readonly version: string;
  readonly seq: number;
}

/**
 * One log entry on its way to subscribers. All subscribers of a process share the object, so the text is turned into
 * bytes once, however many sockets it goes to.
 */
export class StreamEntry implements LogPosition {
  readonly kind = 'change';
  /** UTF-8 length of {@link json}. */
  readonly bytes: number;
  private encoded: Buffer | undefined;

  constructor(
    readonly version: string,
    readonly seq: number,
    /** The entry's own JSON text (a LogChange), exactly as pull sends it. */
    readonly json: string,
  ) {
    this.bytes = Buffer.byteLength(json);
  }

  /** The text as bytes. Shared: never write into it. */
  get frame(): Buffer {
    return (this.encoded ??= Buffer.from(this.json));
  }
}

/** An entry as the change stream gives it: of whatever collection. */
export class LiveEntry extends StreamEntry {
  constructor(
    version: string,
    seq: number,
    json: string,
    readonly collection: string,
  ) {
    super(version, seq, json);
  }
}

/** What a subscription yields. After `resync` it ends: the client needs a full resync before it subscribes again. */
export type StreamMessage = StreamEntry | StreamResync;

export interface StreamResync {
  readonly kind: 'resync';
  readonly reason: ResyncReason;
  readonly collections: readonly string[];
}
