import { parseEnvelope, type Envelope, type EnvelopeFields } from './envelope.ts';
import type { DocId } from './change.ts';
import { collectionsParameter, queryObject } from './read-query.ts';

/**
 * GET digest: what the scope has at one moment, as counts and hashes, so that a device that stands at the same moment
 * can prove that it has exactly that.
 */
export interface DigestRequest extends EnvelopeFields {
  /** Names, in a list or separated by commas. None: all that the identity may read. */
  readonly collections?: string | readonly string[] | null;
}

/** A checked DigestRequest. */
export interface DigestQuery extends Envelope {
  readonly collections: readonly string[] | undefined;
}

/** Of a set of documents. */
export interface DigestPart {
  readonly count: number;
  /** 32 hex digits: see {@link DigestSum}. */
  readonly hash: string;
}

export interface CollectionDigest {
  readonly collection: string;
  readonly live: DigestPart;
  /** Tombstones above `tombstone_floor`: apart, because a device that loaded without them has not got them. */
  readonly deleted: DigestPart;
}

export interface DigestAnswer {
  /** The moment: everything up to this version is counted, and nothing after it. */
  readonly last_seq: string;
  /** The same as an integer; 0 for an empty scope. */
  readonly seq: number;
  /**
   * Deleted documents up to this version are not counted: the server need not have their tombstones any more. A device leaves
   * out its own, and may drop them. Null: all are counted.
   */
  readonly tombstone_floor: string | null;
  readonly collections: readonly CollectionDigest[];
}

/**
 * Reads the parameters as they came, text or typed. Unknown parameters are ignored.
 *
 * @throws SyncError `malformed_request`
 */
export function parseDigestQuery(request: unknown): DigestQuery {
  const query = queryObject(request);
  return {
    ...parseEnvelope(query),
    collections: collectionsParameter(query),
  };
}

/** What is hashed of a document: the first 16 bytes of the SHA-256 of this text in UTF-8 are its number. */
export function digestText(collection: string, docId: DocId, version: string): string {
  return JSON.stringify([collection, docId, version]);
}

const BITS = 128;
const BYTES = BITS / 8;

/**
 * The documents of a set as one number: the sum of theirs modulo 2^128, in whatever order they come. A sum and not an
 * exclusive or, in which a document that is there twice would count as one that is not there.
 *
 * A device keeps it up to date: {@link remove} the old version of a document, {@link add} the new one.
 */
export class DigestSum {
  private sum = 0n;
  private documents = 0;

  /** @param hash SHA-256 of a {@link digestText}, whole or its first 16 bytes */
  add(hash: Uint8Array): void {
    this.sum = BigInt.asUintN(BITS, this.sum + numberOf(hash));
    this.documents += 1;
  }

  /** @param hash of a document that was added before */
  remove(hash: Uint8Array): void {
    this.sum = BigInt.asUintN(BITS, this.sum - numberOf(hash));
    this.documents -= 1;
  }

  get part(): DigestPart {
    return { count: this.documents, hash: this.sum.toString(16).padStart(2 * BYTES, '0') };
  }
}

/** The first 16 bytes as a number, the first byte the highest. */
function numberOf(hash: Uint8Array): bigint {
  let number = 0n;
  for (const byte of hash.subarray(0, BYTES)) number = (number << 8n) | BigInt(byte);
  return number;
}
