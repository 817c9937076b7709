import {
  BSON_TYPE,
  byteAt,
  FIRST_ELEMENT,
  int32At,
  isName,
  nameEnd,
  valueEnd,
} from '../collections/bson-elements';
import type { PulledEntry } from '../protocol/pull';

/**
 * A log entry as the database's own bytes. Its text is never made a string on its way to a client, and version and seq
 * only where somebody asks: a page needs those of its ends.
 *
 * All entries of a batch share one piece of memory: whoever keeps one keeps them all.
 */
export class EntryBytes implements PulledEntry {
  readonly wire: Buffer;
  private readonly versionAt: number;
  private readonly seqAt: number;
  private readonly seqType: number;

  /** @throws Error when a field is missing or is not of the type that the engine writes */
  constructor(private readonly bytes: Buffer) {
    let wireAt = 0;
    let versionAt = 0;
    let seqAt = 0;
    let seqType = 0;
    for (let at = FIRST_ELEMENT; at < bytes.length - 1;) {
      const type = byteAt(bytes, at);
      const end = nameEnd(bytes, at + 1);
      if (type === BSON_TYPE.string) {
        if (isName(bytes, at + 1, end, 'wire')) wireAt = end + 1;
        else if (isName(bytes, at + 1, end, 'version')) versionAt = end + 1;
      } else if (isName(bytes, at + 1, end, 'seq')) {
        seqAt = end + 1;
        seqType = type;
      }
      at = valueEnd(bytes, type, end + 1);
    }
    if (wireAt === 0 || versionAt === 0 || seqAt === 0)
      throw new Error('A log entry lacks its wire text, version or seq.');
    this.wire = textAt(bytes, wireAt);
    this.versionAt = versionAt;
    this.seqAt = seqAt;
    this.seqType = seqType;
  }

  get version(): string {
    return textAt(this.bytes, this.versionAt).toString();
  }

  get seq(): number {
    switch (this.seqType) {
      case BSON_TYPE.int32:
        return int32At(this.bytes, this.seqAt);
      case BSON_TYPE.double:
        return this.bytes.readDoubleLE(this.seqAt);
      case BSON_TYPE.int64:
        return Number(this.bytes.readBigInt64LE(this.seqAt));
      default:
        throw new Error('The seq of a log entry is no number.');
    }
  }
}

/** A string's own bytes, without its length and the zero at its end. */
function textAt(bytes: Buffer, at: number): Buffer {
  return bytes.subarray(at + 4, at + 3 + int32At(bytes, at));
}
