import { isUtf8 } from 'node:buffer';
import { byteAt } from './bson-elements';

const QUOTE = 0x22;
const MINUS = 0x2d;
const DIGIT_0 = 0x30;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;
const LAST_ASCII = 0x7f;
const HEX = Buffer.from('0123456789abcdef');
/** The driver gives an integer up to here as a number, and what is beyond as a Long. */
const LARGEST_NUMBER = 2n ** 53n;

/**
 * JSON as it is written, in bytes. Each value as `JSON.stringify` writes what the wire makes of it; {@link JsonOfBson} says
 * which ones.
 */
export class JsonOutput {
  private out: Buffer;
  private at = 0;
  private readonly size: number;

  /** @param pieceBytes how large the pieces are, roughly, that {@link take} gives */
  constructor(pieceBytes: number) {
    // Room for the value that makes a piece large enough, so that it need not move.
    this.size = pieceBytes + (pieceBytes >> 3);
    this.out = Buffer.allocUnsafe(this.size);
  }

  /** Bytes written since the last {@link take}: also a place to go {@link back} to. */
  get length(): number {
    return this.at;
  }

  /** Forgets what was written from this place on. */
  back(to: number): void {
    this.at = to;
  }

  /** Hands over what was written. */
  take(): Buffer {
    const taken = this.out.subarray(0, this.at);
    this.out = Buffer.allocUnsafe(this.size);
    this.at = 0;
    return taken;
  }

  /** Writes what is JSON already. */
  json(text: string): void {
    // A UTF-16 unit is at most three bytes of UTF-8.
    this.room(3 * text.length);
    this.at += this.out.write(text, this.at);
  }

  /** The same, in UTF-8. */
  bytes(json: Buffer): void {
    this.room(json.length);
    this.out.set(json, this.at);
    this.at += json.length;
  }

  /** The same: one byte. */
  byte(byte: number): void {
    this.room(1);
    this.out[this.at++] = byte;
  }

  /** A name between two places, with its colon. It has to be plain ASCII that needs no escapes. */
  name(bytes: Buffer, from: number, to: number): void {
    this.room(to - from + 3);
    const { out } = this;
    let at = this.at;
    out[at++] = QUOTE;
    for (let index = from; index < to; index += 1) out[at++] = byteAt(bytes, index);
    out[at++] = QUOTE;
    out[at++] = COLON;
    this.at = at;
  }

  /** A text in UTF-8 between two places; what is no UTF-8 is written as the driver decodes it. */
  text(bytes: Buffer, from: number, to: number): void {
    this.room(to - from + 2);
    const { out } = this;
    let at = this.at;
    let all = 0;
    out[at++] = QUOTE;
    for (let index = from; index < to; index += 1) {
      const byte = byteAt(bytes, index);
      if (byte < FIRST_PRINTABLE || byte === QUOTE || byte === BACKSLASH) {
        this.json(JSON.stringify(bytes.toString('utf8', from, to)));
        return;
      }
      all |= byte;
      out[at++] = byte;
    }
    if (all > LAST_ASCII && !isUtf8(bytes.subarray(from, to))) {
      this.json(JSON.stringify(bytes.toString('utf8', from, to)));
      return;
    }
    out[at++] = QUOTE;
    this.at = at;
  }

  /** @param value of 32 bits */
  integer(value: number): void {
    if (value < 0) {
      this.byte(MINUS);
      this.digits(-value);
    } else this.digits(value);
  }

  double(value: number): void {
    this.ascii(Number.isFinite(value) ? String(value) : 'null');
  }

  long(value: bigint): void {
    const isNumber = value >= -LARGEST_NUMBER && value <= LARGEST_NUMBER;
    this.ascii(isNumber ? String(value) : `"${value}"`);
  }

  date(value: Date): void {
    this.ascii(Number.isNaN(value.getTime()) ? 'null' : `"${value.toISOString()}"`);
  }

  /** The twelve bytes of an ObjectId. */
  objectId(bytes: Buffer, from: number): void {
    this.room(26);
    const { out } = this;
    let at = this.at;
    out[at++] = QUOTE;
    for (let index = from; index < from + 12; index += 1) {
      const byte = byteAt(bytes, index);
      out[at++] = byteAt(HEX, byte >> 4);
      out[at++] = byteAt(HEX, byte & 15);
    }
    out[at++] = QUOTE;
    this.at = at;
  }

  /** @param value whole, not negative, of at most ten digits */
  private digits(value: number): void {
    let count = 1;
    for (let power = 10; power <= value; power *= 10) count += 1;
    this.room(count);
    for (let at = this.at + count - 1; at >= this.at; at -= 1) {
      const rest = Math.floor(value / 10);
      this.out[at] = DIGIT_0 + value - rest * 10;
      value = rest;
    }
    this.at += count;
  }

  private ascii(text: string): void {
    this.room(text.length);
    this.at += this.out.write(text, this.at, 'latin1');
  }

  private room(bytes: number): void {
    if (this.at + bytes <= this.out.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.out.length, this.at + bytes));
    this.out.copy(larger, 0, 0, this.at);
    this.out = larger;
  }
}
