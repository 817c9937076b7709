import type { mongo } from 'mongoose';
import type { Json } from 'nest-offline-sync-protocol';

/** Any object of the `bson` package. The tag sits on the prototype, so plain data that has such a key is not one. */
export interface BsonValue {
  readonly _bsontype: string;
}

/** Whether a value is a BSON type's instance, whichever copy of the package made it. */
export function isBsonValue(value: object): value is BsonValue {
  return '_bsontype' in value && typeof value._bsontype === 'string' && !Object.hasOwn(value, '_bsontype');
}

const UUID_SUBTYPE = 4;

/**
 * The wire form of a BSON type. ObjectId: 24 lower-case hex. Decimal128: its string. Binary: base64, or the canonical
 * UUID string for subtype 4. Long: a number when it is safe, else a decimal string. Double, Int32: a number, null
 * when it is not finite. Symbol: its string.
 *
 * The types that JSON has no word for become MongoDB's extended JSON: `$regularExpression`, `$timestamp`, `$code`,
 * `$ref`, `$minKey`, `$maxKey`. These are the only keys that the codec itself makes and that a client cannot push
 * back (`forbidden_key`): so an edit never turns such a value into something else.
 *
 * @param encode the codec for values inside values (a DBRef's id, a Code's scope)
 */
export function encodeBson(value: BsonValue, encode: (inner: unknown) => Json): Json {
  switch (value._bsontype) {
    case 'ObjectId':
    case 'ObjectID':
      return (value as mongo.ObjectId).toHexString();
    case 'Decimal128':
      return (value as mongo.Decimal128).toString();
    case 'Binary':
      return encodeBinary(value as mongo.Binary);
    case 'Long':
      return encodeInteger(BigInt((value as mongo.Long).toString()));
    case 'Double':
    case 'Int32':
      return encodeNumber((value as mongo.Double | mongo.Int32).value);
    case 'BSONSymbol':
    case 'Symbol':
      return (value as mongo.BSONSymbol).value;
    case 'BSONRegExp': {
      const { pattern, options } = value as mongo.BSONRegExp;
      return encodeRegExp(pattern, options);
    }
    case 'Timestamp': {
      const { t, i } = value as mongo.Timestamp;
      return { $timestamp: { t, i } };
    }
    case 'Code': {
      const { code, scope } = value as mongo.Code;
      return scope ? { $code: code, $scope: encode(scope) } : { $code: code };
    }
    case 'DBRef': {
      const { collection, oid, db, fields } = value as mongo.DBRef;
      const rest = encode(fields) as Record<string, Json>;
      return { $ref: collection, $id: encode(oid), ...(db === undefined ? {} : { $db: db }), ...rest };
    }
    case 'MinKey':
      return { $minKey: 1 };
    case 'MaxKey':
      return { $maxKey: 1 };
    default:
      return null;
  }
}

/** JSON has no NaN and no Infinity: they travel as null. */
export function encodeNumber(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

/** A whole number: as a JSON number while every reader gets it exactly, else as its decimal digits. */
export function encodeInteger(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

export function encodeRegExp(pattern: string, options: string): Json {
  return { $regularExpression: { pattern, options } };
}

function encodeBinary(binary: mongo.Binary): string {
  const length = binary.length();
  const bytes = Buffer.from(binary.buffer.buffer, binary.buffer.byteOffset, length);
  return binary.sub_type === UUID_SUBTYPE && length === 16 ? uuidText(bytes) : bytes.toString('base64');
}

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
