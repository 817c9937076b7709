import { BSON_TYPE, findElements, textOf, valueAt } from '../codec/bson-elements';
import { EntryBytes } from '../log/entry-bytes';
import { LiveEntry } from './stream-entry';

const EVENT_FIELDS = ['clusterTime', 'fullDocument'];
/** Those that {@link EntryBytes} does not know. */
const ENTRY_FIELDS = ['scope', 'at', 'collection'];

/** The fields of an event that are needed. */
export const INSERTED_FIELDS = [
  'clusterTime',
  ...[...ENTRY_FIELDS, 'version', 'seq', 'wire'].map((field) => `fullDocument.${field}`),
];

/**
 * A new log entry as the change stream brings it: the database's own bytes, of which nothing is made before somebody
 * asks. Most entries are of scopes that nobody of this process listens to.
 *
 * All events of one answer share its memory: whoever keeps one keeps them all. What {@link live} gives stands alone.
 */
export class InsertedBytes {
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

  /** When the database wrote it: a timestamp of its, of 64 bits. */
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

  live(): LiveEntry {
    const { version, seq, wire } = new EntryBytes(this.entry);
    const collection = textOf(this.entry, this.collectionElement).toString();
    return new LiveEntry(version, seq, Buffer.from(wire), collection);
  }
}
