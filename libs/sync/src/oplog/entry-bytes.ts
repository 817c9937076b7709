import { BSON_TYPE, findElements, numberOf, textOf, valueAt } from '../collections/bson-elements';
import type { PulledEntry } from '../protocol/pull';

const FIELDS = ['wire', 'version', 'seq'];

/**
 * A log entry as the database's own bytes. Its text is never made a string on its way to a client, and version and seq
 * only where somebody asks: a page needs those of its ends.
 *
 * All entries of a batch share one piece of memory: whoever keeps one keeps them all.
 */
export class EntryBytes implements PulledEntry {
  readonly wire: Buffer;
  private readonly versionElement: number;
  private readonly seqElement: number;

  /** @throws Error when a field is missing or is not of the type that the engine writes */
  constructor(private readonly bytes: Buffer) {
    const [wire = 0, version = 0, seq = 0] = findElements(bytes, 0, FIELDS);
    const { string, int32, double, int64 } = BSON_TYPE;
    valueAt(bytes, version, string);
    valueAt(bytes, seq, int32, double, int64);
    this.wire = textOf(bytes, wire);
    this.versionElement = version;
    this.seqElement = seq;
  }

  get version(): string {
    return textOf(this.bytes, this.versionElement).toString();
  }

  get seq(): number {
    return numberOf(this.bytes, this.seqElement);
  }
}
