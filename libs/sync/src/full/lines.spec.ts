import type { StoredDocument } from '../codec/stored-document';
import fc from 'fast-check';
import mongoose from 'mongoose';
import { runs } from '../../../../test/support/runs';
import type { IdCodec } from '../codec/id-codec';
import { globalIds, scopedIds } from '../codec/id-codec';
import { decodeStored } from '../collections/native-collection';
import { encodeLine } from './lines';
import { LineWriter, StartedLines } from './lines';

const { mongo } = mongoose;
const VERSION = '20260502T120000.000Z-0001-a1b2';
const SYNC = {
  _sync_version: VERSION,
  _sync_actor_id: 'ann',
  _sync_scope_id: 'shop',
  _sync_deleted: false,
};

const IDS: readonly [string, IdCodec][] = [
  ['global', globalIds('free', mongo)],
  ['scoped', scopedIds('free')],
];
const RULES = { strategy: 'last-writer-wins', deleteUpdatePolicy: 'resurrect_on_update' } as const;
const bytesOf = (document: object): Buffer => Buffer.from(mongo.BSON.serialize(document));

function linesOf(ids: IdCodec, documents: readonly Buffer[]): string {
  const writer = new LineWriter({ name: 'to "do"', ids, rules: RULES }, 'shop', decodeStored, 16);
  for (const document of documents) writer.write(document);
  return writer.take().toString();
}

describe.each(IDS)('lines with %s ids', (_mode, ids) => {
  const expected = (document: Buffer): string =>
    encodeLine({ name: 'to "do"', ids, rules: RULES }, decodeStored(document));

  const storedId = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string().map((id) => JSON.stringify(['shop', id])),
    fc.maxSafeInteger().map((id) => JSON.stringify(['shop', id])),
    fc.integer(),
    fc.double(),
    fc.uuid().map((id) => new mongo.UUID(id)),
    fc.uint8Array({ minLength: 12, maxLength: 12 }).map((id) => new mongo.ObjectId(id)),
    fc.constantFrom<unknown>(null, true, { a: 1 }, mongo.Long.MAX_VALUE, new Date(0)),
  );
  const engineFields = fc.record(
    {
      _sync_version: fc.constantFrom<unknown>(VERSION, null, 5, 'é"'),
      _sync_actor_id: fc.string(),
      _sync_scope_id: fc.constant('shop'),
      _sync_deleted: fc.constantFrom<unknown>(true, false, 1, null),
      _sync_hlc: fc.constant(VERSION),
      _sync_more: fc.integer(),
    },
    { requiredKeys: ['_sync_scope_id'] },
  );
  const data = fc.dictionary(fc.stringMatching(/^[a-z$0-9"]{1,3}$/), fc.oneof(fc.string(), fc.integer()));

  it('are what encodeLine makes of the decoded documents', () => {
    const document = fc
      .tuple(storedId, data, engineFields, fc.boolean())
      .map(([_id, own, fields, before]): StoredDocument =>
        before ? { _id, ...fields, ...own } : { _id, ...own, ...fields },
      );
    fc.assert(
      fc.property(fc.array(document, { maxLength: 4 }), (documents) => {
        const all = documents.map(bytesOf);
        expect(linesOf(ids, all)).toBe(all.map(expected).join(''));
      }),
      runs(500),
    );
  });

  it('leave out what is of another scope, of two, or of none', () => {
    const of = (scope: unknown): object => ({ _id: 1, n: 2, ...SYNC, _sync_scope_id: scope });
    const foreign = [
      of('shop2'),
      of('sho'),
      of('SHOP'),
      of(['shop', 'b']),
      of(['shop']),
      of(null),
      { _id: 3 },
    ];
    // The second half is decoded as a whole.
    const odd = foreign.map((document) => ({ ...document, 1: 1 }));
    expect(linesOf(ids, [...foreign, ...odd].map(bytesOf))).toBe('');
    const own = bytesOf({ _id: 4, x: 1, ...SYNC });
    expect(linesOf(ids, [bytesOf(of('b')), own, bytesOf(of(['shop']))])).toBe(expected(own));
  });

  it('show a tombstone without what it still holds', () => {
    const tombstone = bytesOf({ _id: 'a', left: 'over', ...SYNC, _sync_deleted: true });
    expect(linesOf(ids, [tombstone])).toBe(
      `{"collection":"to \\"do\\"","doc_id":"a","data":null,"deleted":true,"version":"${VERSION}"}\n`,
    );
  });

  it('show a document whose id is not its first field', () => {
    const document = bytesOf({ a: 1, _id: 'late', ...SYNC });
    expect(linesOf(ids, [document])).toBe(expected(document));
  });
});

async function* source(
  log: string[],
  chunks: readonly string[],
): AsyncGenerator<string, undefined, undefined> {
  try {
    for (const chunk of chunks) {
      if (chunk === 'error') throw new Error('the database is gone');
      log.push(`read ${chunk}`);
      yield await Promise.resolve(chunk);
    }
  } finally {
    log.push('closed');
  }
}

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const chunks: string[] = [];
  for await (const chunk of lines) chunks.push(chunk);
  return chunks;
}

describe('StartedLines', () => {
  it('gives every chunk once', async () => {
    const log: string[] = [];
    const lines = await StartedLines.of(source(log, ['a', 'b', 'c']));
    expect(log).toEqual(['read a']);
    expect(await all(lines)).toEqual(['a', 'b', 'c']);
    expect(await all(lines)).toEqual([]);
    expect(log.at(-1)).toBe('closed');
  });

  it('closes the source when nobody takes even the first chunk', async () => {
    const log: string[] = [];
    const lines = await StartedLines.of(source(log, ['a', 'b']));
    await lines.return();
    expect(log).toEqual(['read a', 'closed']);
    expect(await all(lines)).toEqual([]);
  });

  it('closes the source when the reader stops half-way', async () => {
    const log: string[] = [];
    for await (const chunk of await StartedLines.of(source(log, ['a', 'b', 'c']))) if (chunk === 'b') break;
    expect(log).toEqual(['read a', 'read b', 'closed']);
  });

  it('fails at once when the first chunk does, and where it does otherwise', async () => {
    const log: string[] = [];
    await expect(StartedLines.of(source(log, ['error']))).rejects.toThrow('gone');
    const later = await StartedLines.of(source(log, ['a', 'error']));
    await expect(all(later)).rejects.toThrow('gone');
    expect(log).toEqual(['closed', 'read a', 'closed']);
  });

  it('is empty when the source is', async () => {
    expect(await all(await StartedLines.of(source([], [])))).toEqual([]);
  });

  it('ends with the chunk that it was given, unless it breaks off or is given up', async () => {
    const log: string[] = [];
    expect(await all((await StartedLines.of(source(log, ['a', 'b']))).endingWith('end'))).toEqual([
      'a',
      'b',
      'end',
    ]);
    expect(await all((await StartedLines.of(source([], []))).endingWith('end'))).toEqual(['end']);
    const broken = (await StartedLines.of(source(log, ['a', 'error']))).endingWith('end');
    await broken.next();
    await expect(broken.next()).rejects.toThrow('gone');
    const left = (await StartedLines.of(source(log, ['a']))).endingWith('end');
    await left.return();
    expect(await all(left)).toEqual([]);
  });
});
