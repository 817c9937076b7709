import { BSON_TYPE, findElements, numberOf, textOf, valueAt } from '../collections/bson-elements';
import { LiveEntry } from './stream-entry';

const EVENT_FIELDS = ['clusterTime', 'fullDocument'];
const ENTRY_FIELDS = ['scope', 'at', 'version', 'seq', 'wire', 'collection'];

/** The fields of an event that are needed. */
export const INSERTED_FIELDS = ['clusterTime', ...ENTRY_FIELDS.map((field) => `fullDocument.${field}`)];

/**
 * A new log entry as the change stream brings it: the database's own bytes, of which nothing is made before somebody
 * asks. Most entries are of scopes that nobody of this process listens to.
 *
 * All events of one answer share its memory: whoever keeps one keeps them all. What {@link live} gives stands alone.
 */
export class InsertedBytes {
  private readonly timeElement: number;
  /** As {@link ENTRY_FIELDS}. */
  private readonly elements: readonly number[];

  /** @throws Error when it is not an insert */
  constructor(private readonly bytes: Buffer) {
    const [time = 0, entry = 0] = findElements(bytes, 0, EVENT_FIELDS);
    this.timeElement = time;
    this.elements = findElements(bytes, valueAt(bytes, entry, BSON_TYPE.object), ENTRY_FIELDS);
  }

  /** When the database wrote it: a timestamp of its, of 64 bits. */
  get clusterTime(): bigint {
    const { bytes, timeElement } = this;
    return bytes.readBigUInt64LE(valueAt(bytes, timeElement, BSON_TYPE.timestamp));
  }

  get scope(): string {
    return this.text(0);
  }

  /** When the engine wrote it, by its process's clock. Milliseconds since 1970. */
  get writtenAt(): number {
    const [, at = 0] = this.elements;
    return Number(this.bytes.readBigInt64LE(valueAt(this.bytes, at, BSON_TYPE.date)));
  }

  live(): LiveEntry {
    const [, , , seq = 0, wire = 0] = this.elements;
    const { bytes } = this;
    const copy = Buffer.from(textOf(bytes, wire));
    return new LiveEntry(this.text(2), numberOf(bytes, seq), copy, this.text(5));
  }

  private text(field: number): string {
    return textOf(this.bytes, this.elements[field] ?? 0).toString();
  }
}
