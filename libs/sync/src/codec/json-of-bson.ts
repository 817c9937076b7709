import {
  BSON_TYPE,
  byteAt,
  FIRST_ELEMENT,
  int32At,
  isName,
  nameEnd,
  nameStartsWith,
  valueEnd,
} from './bson-elements';
import type { JsonOutput } from './json-output';
import { SYNC_FIELD_PREFIX, type StoredDocument } from './stored-document';
import { encodeValue } from './wire-codec';

/** Makes of a BSON document what the driver makes of it, with the options of the engine's collections. */
export type DecodeBson = (bytes: Buffer) => StoredDocument;

/** Told of a document's own `_sync_*` fields: where the name begins and ends, the value's type and where it begins. */
export type SyncFieldListener = (nameFrom: number, nameTo: number, type: number, valueAt: number) => void;

const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');
const QUOTE = 0x22;
const DOLLAR = 0x24;
const COMMA = 0x2c;
const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const FIRST_PRINTABLE = 0x20;
const LAST_ASCII = 0x7e;
/** FNV-1a, by which other names hardly ever share a hash. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** Values that are decoded one by one; with more of them the document is decoded as a whole. */
const MAX_DECODED = 4;
/** Names of one object are compared one with another up to this many. */
const MAX_NAMES = 64;

/**
 * Writes stored documents as JSON straight from the database's bytes, without an object or a string in between: a full
 * resync is little else than this.
 *
 * It adds no rules. What it writes is, byte for byte, `JSON.stringify` of what {@link encodeValue} makes of the
 * decoded value, and json-of-bson.spec.ts holds it to that. It knows the plain types alone, whose JSON could not be
 * written otherwise. The rest goes to `encodeValue`: the other types, and objects with names that JavaScript puts into
 * another order, joins, or takes for something else.
 */
export class JsonOfBson {
  /** Of the names in the objects that are being written: JavaScript has a name once. */
  private readonly hashes: number[] = [];
  /** Values of the document that were decoded one by one. */
  private decoded = 0;

  constructor(
    private readonly out: JsonOutput,
    private readonly decode: DecodeBson,
    /** Top-level fields that are left out. */
    private readonly hidden: readonly string[] = [],
  ) {}

  /** Writes what {@link encodeValue} makes of the value that begins at `at`. */
  value(bytes: Buffer, type: number, at: number): void {
    this.decoded = 0;
    this.inner(bytes, type, at);
  }

  /**
   * Writes what `encodeDocument` makes of a document: without its id, its own `_sync_*` fields and the hidden ones.
   *
   * @param from the element behind `_id`
   * @returns false when the document has to be decoded as a whole; what was written of it is to be taken back
   */
  fields(document: Buffer, from: number, listener: SyncFieldListener): boolean {
    this.hashes.length = 0;
    this.decoded = 0;
    return this.members(document, from, document.length - 1, listener) && this.decoded <= MAX_DECODED;
  }

  private inner(bytes: Buffer, type: number, at: number): void {
    const start = this.out.length;
    const names = this.hashes.length;
    if (this.plain(bytes, type, at)) return;
    this.out.back(start);
    this.hashes.length = names;
    this.decoded += 1;
    if (this.decoded > MAX_DECODED) return;
    this.out.json(JSON.stringify(encodeValue(this.decodeValue(bytes, type, at))));
  }

  private plain(bytes: Buffer, type: number, at: number): boolean {
    switch (type) {
      case BSON_TYPE.string:
        this.out.text(bytes, at + 4, at + 3 + int32At(bytes, at));
        return true;
      case BSON_TYPE.int32:
        this.out.integer(int32At(bytes, at));
        return true;
      case BSON_TYPE.double:
        this.out.double(bytes.readDoubleLE(at));
        return true;
      case BSON_TYPE.int64:
        this.out.long(bytes.readBigInt64LE(at));
        return true;
      case BSON_TYPE.boolean:
        this.out.bytes(byteAt(bytes, at) === 1 ? TRUE : FALSE);
        return true;
      case BSON_TYPE.null:
        this.out.bytes(NULL);
        return true;
      case BSON_TYPE.date:
        this.out.date(new Date(Number(bytes.readBigInt64LE(at))));
        return true;
      case BSON_TYPE.objectId:
        this.out.objectId(bytes, at);
        return true;
      case BSON_TYPE.object:
        return this.members(bytes, at + FIRST_ELEMENT, at + int32At(bytes, at) - 1);
      case BSON_TYPE.array:
        return this.items(bytes, at + FIRST_ELEMENT, at + int32At(bytes, at) - 1);
      default:
        return false;
    }
  }

  /** @param listener gets the `_sync_*` fields, which are left out then */
  private members(bytes: Buffer, from: number, end: number, listener?: SyncFieldListener): boolean {
    const names = this.hashes.length;
    this.out.byte(OPEN_OBJECT);
    const start = this.out.length;
    for (let at = from; at < end;) {
      const type = byteAt(bytes, at);
      const nameTo = nameEnd(bytes, at + 1);
      const next = valueEnd(bytes, type, nameTo + 1);
      if (type === BSON_TYPE.undefined || !this.isNewPlainName(bytes, at + 1, nameTo, names)) return false;
      if (listener && nameStartsWith(bytes, at + 1, nameTo, SYNC_FIELD_PREFIX)) {
        listener(at + 1, nameTo, type, nameTo + 1);
      } else if (listener && isName(bytes, at + 1, nameTo, '_id')) {
        return false;
      } else if (!listener || !this.isHidden(bytes, at + 1, nameTo)) {
        if (this.out.length > start) this.out.byte(COMMA);
        this.out.name(bytes, at + 1, nameTo);
        this.inner(bytes, type, nameTo + 1);
      }
      at = next;
    }
    this.hashes.length = names;
    this.out.byte(CLOSE_OBJECT);
    return true;
  }

  private isHidden(bytes: Buffer, from: number, to: number): boolean {
    for (const name of this.hidden) if (isName(bytes, from, to, name)) return true;
    return false;
  }

  private items(bytes: Buffer, from: number, end: number): boolean {
    this.out.byte(OPEN_ARRAY);
    for (let at = from; at < end;) {
      const type = byteAt(bytes, at);
      const valueAt = nameEnd(bytes, at + 1) + 1;
      const next = valueEnd(bytes, type, valueAt);
      if (at > from) this.out.byte(COMMA);
      this.inner(bytes, type, valueAt);
      at = next;
    }
    this.out.byte(CLOSE_ARRAY);
    return true;
  }

  /**
   * Whether a name stands in JSON as it stands in BSON, and did not come before in this object. Digits may be an index,
   * which JavaScript moves to the front; a dollar may make a reference to another document.
   */
  private isNewPlainName(bytes: Buffer, from: number, to: number, names: number): boolean {
    const first = byteAt(bytes, from);
    if (first === DOLLAR || (first >= DIGIT_0 && first <= DIGIT_9)) return false;
    if (isName(bytes, from, to, '__proto__')) return false;
    let hash = FNV_OFFSET;
    for (let at = from; at < to; at += 1) {
      const byte = byteAt(bytes, at);
      if (byte < FIRST_PRINTABLE || byte > LAST_ASCII || byte === QUOTE || byte === BACKSLASH) return false;
      hash = Math.imul(hash ^ byte, FNV_PRIME);
    }
    if (this.hashes.length - names >= MAX_NAMES) return false;
    // Two names with the same hash are as good as one that comes twice: the driver decodes them both.
    for (let index = names; index < this.hashes.length; index += 1)
      if (this.hashes[index] === hash) return false;
    this.hashes.push(hash);
    return true;
  }

  /** The value as the driver gives it, by way of a document that holds it alone. */
  private decodeValue(bytes: Buffer, type: number, at: number): unknown {
    const end = valueEnd(bytes, type, at);
    const document = Buffer.alloc(FIRST_ELEMENT + 3 + (end - at) + 1);
    document.writeInt32LE(document.length);
    document[FIRST_ELEMENT] = type;
    document.write('v', FIRST_ELEMENT + 1);
    bytes.copy(document, FIRST_ELEMENT + 3, at, end);
    return this.decode(document)['v'];
  }
}
