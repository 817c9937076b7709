import { MAX_DOCUMENT_IDS, parseDocumentsQuery } from './documents.ts';
import { SyncError } from './errors.ts';

function refused(query: unknown): Pick<SyncError, 'code' | 'path' | 'limit'> {
  try {
    parseDocumentsQuery(query);
  } catch (error) {
    if (error instanceof SyncError) return error;
    throw error;
  }
  throw new Error('was taken');
}

describe('the parameters of GET documents', () => {
  it.each<[unknown, readonly unknown[]]>([
    ['a', ['a']],
    ['a,b', ['a,b']],
    [
      ['a', '7'],
      ['a', '7'],
    ],
    ['["a",7,"[x"]', ['a', 7, '[x']],
    [
      ['a', 7],
      ['a', 7],
    ],
  ])('take the ids %j', (ids, expected) => {
    expect(parseDocumentsQuery({ collection: 'tasks', ids, other: 1 })).toEqual({
      collection: 'tasks',
      ids: expected,
      clientSchema: undefined,
    });
  });

  it.each<[object, string, string]>([
    [{ ids: 'a' }, 'malformed_request', 'collection'],
    [{ collection: ['a', 'b'], ids: 'a' }, 'malformed_request', 'collection'],
    [{ collection: 'a' }, 'malformed_request', 'ids'],
    [{ collection: 'a', ids: '' }, 'malformed_request', 'ids'],
    [{ collection: 'a', ids: '[]' }, 'malformed_request', 'ids'],
    [{ collection: 'a', ids: '["a"' }, 'malformed_request', 'ids'],
    [{ collection: 'a', ids: { $ne: 'x' } }, 'malformed_request', 'ids'],
    [{ collection: 'a', ids: '[["a"]]' }, 'invalid_doc_id', 'ids[0]'],
    [{ collection: 'a', ids: '["a",1.5]' }, 'invalid_doc_id', 'ids[1]'],
    [{ collection: 'a', ids: ['a', 'x'.repeat(257)] }, 'invalid_doc_id', 'ids[1]'],
    [{ collection: 'a', ids: 'a', client_schema: {} }, 'malformed_request', 'client_schema'],
    [{ collection: 'a', ids: 'a', client_schema: 1.5 }, 'malformed_request', 'client_schema'],
    [{ collection: 'a', ids: 'a', client_schema: 'x'.repeat(129) }, 'malformed_request', 'client_schema'],
  ])('%j is refused', (query, code, path) => {
    expect(refused(query)).toMatchObject({ code, path });
  });

  it('name only so many ids', () => {
    const ids = Array.from({ length: MAX_DOCUMENT_IDS + 1 }, (_, n) => n);
    expect(refused({ collection: 'a', ids })).toMatchObject({
      code: 'malformed_request',
      limit: MAX_DOCUMENT_IDS,
    });
    expect(parseDocumentsQuery({ collection: 'a', ids: ids.slice(1) }).ids).toHaveLength(MAX_DOCUMENT_IDS);
  });

  it('give an integer schema as its text', () => {
    const of = (client_schema: unknown): unknown =>
      parseDocumentsQuery({ collection: 'a', ids: 'a', client_schema }).clientSchema;
    expect([of(7), of('7'), of('2.1-beta'), of(''), of(null)]).toEqual([
      '7',
      '7',
      '2.1-beta',
      undefined,
      undefined,
    ]);
  });
});
