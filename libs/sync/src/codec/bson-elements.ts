/**
 * BSON as bytes: a document is its size, its elements and a zero; an element is a type, a name that ends with a zero,
 * and a value. What is here finds values without making JavaScript of them.
 */
export const BSON_TYPE = {
  double: 0x01,
  string: 0x02,
  object: 0x03,
  array: 0x04,
  binary: 0x05,
  undefined: 0x06,
  objectId: 0x07,
  boolean: 0x08,
  date: 0x09,
  null: 0x0a,
  regExp: 0x0b,
  dbPointer: 0x0c,
  code: 0x0d,
  symbol: 0x0e,
  codeWithScope: 0x0f,
  int32: 0x10,
  timestamp: 0x11,
  int64: 0x12,
  decimal128: 0x13,
  minKey: 0xff,
  maxKey: 0x7f,
} as const;

/** Where a document's first element begins, from the document's own beginning. */
export const FIRST_ELEMENT = 4;

export function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

export function int32At(bytes: Uint8Array, at: number): number {
  return (
    byteAt(bytes, at) |
    (byteAt(bytes, at + 1) << 8) |
    (byteAt(bytes, at + 2) << 16) |
    (byteAt(bytes, at + 3) << 24)
  );
}

/** The zero that ends a name which begins at `at`. */
export function nameEnd(bytes: Uint8Array, at: number): number {
  while (bytes[at] !== 0) {
    if (at >= bytes.length) throw brokenBson();
    at += 1;
  }
  return at;
}

/** Whether the name between two places is this one. @param name in ASCII */
export function isName(bytes: Uint8Array, from: number, to: number, name: string): boolean {
  if (to - from !== name.length) return false;
  for (let index = 0; index < name.length; index += 1)
    if (bytes[from + index] !== name.charCodeAt(index)) return false;
  return true;
}

/** Whether the name between two places begins with this. @param prefix in ASCII */
export function nameStartsWith(bytes: Uint8Array, from: number, to: number, prefix: string): boolean {
  return to - from >= prefix.length && isName(bytes, from, from + prefix.length, prefix);
}

/**
 * Where a document's elements begin, at their types.
 *
 * @param at where the document begins
 * @param names in ASCII
 * @returns in the order of the names; 0 for a name that the document lacks
 * @throws Error when the bytes are no BSON
 */
export function findElements(bytes: Uint8Array, at: number, names: readonly string[]): number[] {
  const found = names.map(() => 0);
  const last = at + int32At(bytes, at) - 1;
  for (let element = at + FIRST_ELEMENT; element < last;) {
    const end = nameEnd(bytes, element + 1);
    for (let index = 0; index < names.length; index += 1)
      if (isName(bytes, element + 1, end, names[index] as string)) found[index] = element;
    element = valueEnd(bytes, byteAt(bytes, element), end + 1);
  }
  return found;
}

/**
 * Where the value of a found element begins.
 *
 * @throws Error when the element was not found or is of another type
 */
export function valueAt(bytes: Uint8Array, element: number, ...types: readonly number[]): number {
  if (element === 0 || !types.includes(byteAt(bytes, element)))
    throw new Error('A document of the log lacks a field, or it is not of the type that the engine writes.');
  return nameEnd(bytes, element + 1) + 1;
}

/** The bytes of a found string. @throws as {@link valueAt} */
export function textOf(bytes: Buffer, element: number): Buffer {
  const at = valueAt(bytes, element, BSON_TYPE.string);
  // Without its length and the zero at its end.
  return bytes.subarray(at + 4, at + 3 + int32At(bytes, at));
}

/** A found number, of whatever type a driver writes it as. @throws as {@link valueAt} */
export function numberOf(bytes: Buffer, element: number): number {
  const { int32, double, int64 } = BSON_TYPE;
  const at = valueAt(bytes, element, int32, double, int64);
  switch (byteAt(bytes, element)) {
    case int32:
      return int32At(bytes, at);
    case double:
      return bytes.readDoubleLE(at);
    default:
      return Number(bytes.readBigInt64LE(at));
  }
}

/**
 * Where a value ends that begins at `at`.
 *
 * @throws Error for a type that BSON does not have, or a length that leads out of the bytes
 */
export function valueEnd(bytes: Uint8Array, type: number, at: number): number {
  const end = at + lengthOf(bytes, type, at);
  if (end < at || end >= bytes.length) throw brokenBson();
  return end;
}

function lengthOf(bytes: Uint8Array, type: number, at: number): number {
  switch (type) {
    case BSON_TYPE.string:
    case BSON_TYPE.code:
    case BSON_TYPE.symbol:
      return 4 + int32At(bytes, at);
    case BSON_TYPE.object:
    case BSON_TYPE.array:
    case BSON_TYPE.codeWithScope:
      return int32At(bytes, at);
    case BSON_TYPE.int32:
      return 4;
    case BSON_TYPE.double:
    case BSON_TYPE.date:
    case BSON_TYPE.timestamp:
    case BSON_TYPE.int64:
      return 8;
    case BSON_TYPE.boolean:
      return 1;
    case BSON_TYPE.null:
    case BSON_TYPE.undefined:
    case BSON_TYPE.minKey:
    case BSON_TYPE.maxKey:
      return 0;
    case BSON_TYPE.objectId:
      return 12;
    case BSON_TYPE.decimal128:
      return 16;
    case BSON_TYPE.binary:
      return 5 + int32At(bytes, at);
    case BSON_TYPE.dbPointer:
      return 16 + int32At(bytes, at);
    case BSON_TYPE.regExp:
      return nameEnd(bytes, nameEnd(bytes, at) + 1) + 1 - at;
    default:
      throw brokenBson();
  }
}

function brokenBson(): Error {
  return new Error('The database gave bytes that are no BSON document.');
}
