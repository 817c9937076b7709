import type { FullEnd, FullLine } from 'nest-offline-sync-protocol';
import { BSON_TYPE, byteAt, FIRST_ELEMENT, int32At, isName, nameEnd, valueEnd } from '../codec/bson-elements';
import type { SyncedCollection } from '../collections/collection';
import { JsonOfBson, type DecodeBson } from '../codec/json-of-bson';
import { JsonOutput } from '../codec/json-output';
import { SYNC_FIELDS, type StoredDocument } from '../codec/stored-document';
import { encodeBy } from '../codec/wire-codec';

const DATA = Buffer.from(',"data":');
const DELETED = Buffer.from(',"deleted":true,"version":');
const KEPT = Buffer.from(',"deleted":false,"version":');
const NULL = Buffer.from('null');
const END = Buffer.from('}\n');

/**
 * Writes the documents of one collection and scope as the lines of a full resync, from their bytes. A line is byte for
 * byte what {@link encodeLine} makes of the decoded document.
 */
export class LineWriter {
  private readonly out: JsonOutput;
  private readonly json: JsonOfBson;
  private readonly scope: Buffer;
  private readonly beginning: Buffer;
  private document: Buffer = Buffer.alloc(0);
  private versionAt = 0;
  private isDeleted = false;
  private isOfScope = false;
  /** A hidden field lies inside of another one: only the codec finds it. */
  private readonly decodesAll: boolean;

  /**
   * @param pieceBytes how large the pieces are, roughly, that {@link take} gives
   * @param tombstones whether deleted documents have lines too
   */
  constructor(
    private readonly collection: Pick<SyncedCollection, 'name' | 'ids' | 'rules'>,
    private readonly scopeId: string,
    private readonly decode: DecodeBson,
    pieceBytes: number,
    private readonly tombstones = true,
  ) {
    this.out = new JsonOutput(pieceBytes);
    const { form } = collection.rules;
    this.json = new JsonOfBson(this.out, decode, form?.hiddenNames ?? []);
    this.decodesAll = form?.hidesInside ?? false;
    this.scope = Buffer.from(scopeId);
    this.beginning = Buffer.from(`{"collection":${JSON.stringify(collection.name)},"doc_id":`);
  }

  /** Bytes that wait to be taken. */
  get length(): number {
    return this.out.length;
  }

  /** Hands over the lines that were written. */
  take(): Buffer {
    return this.out.take();
  }

  /**
   * Writes a document's line. Nothing for a document of another scope: MongoDB takes a list that holds the scope for
   * the scope, but a document in two scopes is in none (invariant 5).
   */
  write(document: Buffer): void {
    const start = this.out.length;
    if (!this.decodesAll && this.writeStraight(document)) {
      if (!this.isOfScope || (this.isDeleted && !this.tombstones)) this.out.back(start);
      return;
    }
    this.out.back(start);
    const stored = this.decode(document);
    if (stored[SYNC_FIELDS.scope] !== this.scopeId) return;
    if (this.tombstones || stored[SYNC_FIELDS.deleted] !== true)
      this.out.json(encodeLine(this.collection, stored));
  }

  private writeStraight(document: Buffer): boolean {
    const idTo = nameEnd(document, FIRST_ELEMENT + 1);
    if (!isName(document, FIRST_ELEMENT + 1, idTo, '_id')) return false;
    const idType = byteAt(document, FIRST_ELEMENT);
    this.document = document;
    this.versionAt = 0;
    this.isDeleted = false;
    this.isOfScope = false;
    this.out.bytes(this.beginning);
    if (!this.writeId(document, idType, idTo + 1)) return false;
    this.out.bytes(DATA);
    const data = this.out.length;
    if (!this.json.fields(document, valueEnd(document, idType, idTo + 1), this.noteSyncField)) return false;
    if (this.isDeleted) {
      this.out.back(data);
      this.out.bytes(NULL);
    }
    this.out.bytes(this.isDeleted ? DELETED : KEPT);
    if (this.versionAt > 0) this.json.value(document, BSON_TYPE.string, this.versionAt);
    else this.out.bytes(NULL);
    this.out.bytes(END);
    return true;
  }

  /** The types of id that clients and Mongoose make; the others go through the codec. */
  private writeId(document: Buffer, type: number, at: number): boolean {
    if (type === BSON_TYPE.objectId || type === BSON_TYPE.int32) this.json.value(document, type, at);
    else if (type === BSON_TYPE.string) {
      const id = document.toString('utf8', at + 4, at + 3 + int32At(document, at));
      this.out.json(JSON.stringify(this.collection.ids.toWire(id)));
    } else return false;
    return true;
  }

  private readonly noteSyncField = (from: number, to: number, type: number, at: number): void => {
    const { document } = this;
    if (type === BSON_TYPE.string) {
      if (isName(document, from, to, SYNC_FIELDS.version)) this.versionAt = at;
      else if (isName(document, from, to, SYNC_FIELDS.scope))
        this.isOfScope = this.scope.equals(document.subarray(at + 4, at + 3 + int32At(document, at)));
    } else if (type === BSON_TYPE.boolean && isName(document, from, to, SYNC_FIELDS.deleted))
      this.isDeleted = byteAt(document, at) === 1;
  };
}

/** The document as a line of NDJSON, with its line break. Never throws for anything that MongoDB can hold. */
export function encodeLine(
  collection: Pick<SyncedCollection, 'name' | 'ids' | 'rules'>,
  stored: StoredDocument,
): string {
  const deleted = stored[SYNC_FIELDS.deleted] === true;
  const version = stored[SYNC_FIELDS.version];
  const line: FullLine = {
    collection: collection.name,
    doc_id: collection.ids.toWire(stored['_id']),
    data: deleted ? null : encodeBy(collection.rules.form, stored),
    deleted,
    version: typeof version === 'string' ? version : null,
  };
  return `${JSON.stringify(line)}\n`;
}

/** The last line of a page. */
export function encodeEnd(lastSeq: string, seq: number | undefined, nextCursor: string | undefined): string {
  const line: FullEnd = { end: true, last_seq: lastSeq, seq: seq ?? null, cursor: nextCursor ?? null };
  return `${JSON.stringify(line)}\n`;
}

/**
 * The chunks of a page, of which the first has been read already: who has one knows that the database answered,
 * while an error can still become a status. Can be gone over once.
 *
 * Its source has been started, so `return()` always reaches the source's `finally`, also before the first chunk was
 * taken. (A generator that was never started skips it, and would leave a cursor open.)
 */
export class StartedLines<T> implements AsyncIterableIterator<T, undefined> {
  private last: T | undefined;

  private constructor(
    private first: IteratorResult<T, undefined> | undefined,
    private readonly source: AsyncGenerator<T, undefined, undefined>,
  ) {}

  /** @throws what reading the first chunk throws */
  static async of<T>(source: AsyncGenerator<T, undefined, undefined>): Promise<StartedLines<T>> {
    return new StartedLines(await source.next(), source);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Gives one more chunk when all others have been given, and none after an error. */
  endingWith(chunk: T): this {
    this.last = chunk;
    return this;
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    const { first, last } = this;
    this.first = undefined;
    const result = first ?? (await this.source.next());
    if (result.done !== true || last === undefined) return result;
    this.last = undefined;
    return { done: false, value: last };
  }

  /** Gives everything up that the page holds open. To be called by a reader that does not read to the end. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.first = undefined;
    this.last = undefined;
    return this.source.return(undefined);
  }
}
