import type { Position } from 'nest-offline-sync-protocol';
import { BSON_TYPE, findElements, numberOf, textOf, valueAt } from '../codec/bson-elements';

/** A log entry on its way to clients. */
export interface LogEntry extends Position {
  /** The entry's own JSON text, a LogChange, in UTF-8. Shared: never write into it. */
  readonly wire: Buffer;
}

/** A log entry as a message to subscribers. All subscribers of a process share the object. */
export class StreamChange implements LogEntry {
  readonly kind = 'change';

  /**
   * @param wire the entry's own JSON text (a LogChange) in UTF-8, exactly as pull sends it; shared: never write into it
   * @param collection where the change stream gave it: of whatever collection
   */
  constructor(
    readonly version: string,
    readonly seq: number,
    readonly wire: Buffer,
    readonly collection?: string,
  ) {}

  get bytes(): number {
    return this.wire.length;
  }

  get json(): string {
    return this.wire.toString();
  }
}

const FIELDS = ['wire', 'version', 'seq'];

/**
 * A log entry as the database's own bytes. Its text is never made a string on its way to a client, and its version
 * only where somebody asks: a page needs those of its ends.
 *
 * All entries of a batch share one piece of memory: keeping one keeps them all.
 */
export class RawEntry implements LogEntry {
  readonly wire: Buffer;
  readonly seq: number;
  private readonly versionElement: number;

  /** @throws Error when a field is missing or is not of the type that the engine writes */
  constructor(private readonly bytes: Buffer) {
    const [wire = 0, version = 0, seq = 0] = findElements(bytes, 0, FIELDS);
    this.wire = textOf(bytes, wire);
    this.seq = numberOf(bytes, seq);
    // Refused here, though it is read only when somebody asks.
    valueAt(bytes, version, BSON_TYPE.string);
    this.versionElement = version;
  }

  get version(): string {
    return textOf(this.bytes, this.versionElement).toString();
  }
}

const EVENT_FIELDS = ['clusterTime', 'fullDocument'];
/** Those that {@link RawEntry} does not know. */
const ENTRY_FIELDS = ['scope', 'at', 'collection'];

/** The fields of an event that are needed. */
export const INSERT_FIELDS = [
  'clusterTime',
  ...[...ENTRY_FIELDS, 'version', 'seq', 'wire'].map((field) => `fullDocument.${field}`),
];

/**
 * A new log entry as an event of the change stream: the database's own bytes, of which nothing is made before somebody
 * asks. Most entries are of scopes that nobody of this process listens to.
 *
 * All events of one answer share its memory: keeping one keeps them all. What {@link change} gives stands alone.
 */
export class RawInsert {
  private readonly timeElement: number;
  private readonly entry: Buffer;
  private readonly scopeElement: number;
  private readonly atElement: number;
  private readonly collectionElement: number;

  /** @throws Error when it is not an insert */
  constructor(private readonly bytes: Buffer) {
    const [time = 0, inserted = 0] = findElements(bytes, 0, EVENT_FIELDS);
    this.timeElement = time;
    this.entry = bytes.subarray(valueAt(bytes, inserted, BSON_TYPE.object));
    const [scope = 0, at = 0, collection = 0] = findElements(this.entry, 0, ENTRY_FIELDS);
    this.scopeElement = scope;
    this.atElement = at;
    this.collectionElement = collection;
  }

  /** When the database wrote it: its own timestamp, of 64 bits. */
  get clusterTime(): bigint {
    const { bytes, timeElement } = this;
    return bytes.readBigUInt64LE(valueAt(bytes, timeElement, BSON_TYPE.timestamp));
  }

  get scope(): string {
    return textOf(this.entry, this.scopeElement).toString();
  }

  /** When the engine wrote it, by its process's clock. Milliseconds since 1970. */
  get writtenAt(): number {
    const { entry, atElement } = this;
    return Number(entry.readBigInt64LE(valueAt(entry, atElement, BSON_TYPE.date)));
  }

  /** The entry as this process tells its subscribers. */
  change(): StreamChange {
    const { version, seq, wire } = new RawEntry(this.entry);
    const collection = textOf(this.entry, this.collectionElement).toString();
    return new StreamChange(version, seq, Buffer.from(wire), collection);
  }
}
