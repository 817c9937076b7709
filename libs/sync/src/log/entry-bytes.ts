import { BSON_TYPE, findElements, numberOf, textOf, valueAt } from '../codec/bson-elements';
import type { PulledEntry } from '../protocol/pull';

const FIELDS = ['wire', 'version', 'seq'];

/**
 * A log entry as the database's own bytes. Its text is never made a string on its way to a client, and its version
 * only where somebody asks: a page needs those of its ends.
 *
 * All entries of a batch share one piece of memory: whoever keeps one keeps them all.
 */
export class EntryBytes implements PulledEntry {
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
