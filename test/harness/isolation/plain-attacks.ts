import type { HttpStep, Step } from './attacks';
import { COLLECTIONS } from './world';

const AUTHORIZED = 'Authorization: ⟦token.good⟧';

function get(target: string, ...headers: string[]): HttpStep {
  return {
    kind: 'http',
    method: 'GET',
    target,
    headers: [AUTHORIZED, ...headers],
    body: null,
    encoding: 'plain',
    alongside: false,
  };
}

function push(changes: readonly object[], alongside = false): HttpStep {
  return {
    kind: 'http',
    method: 'POST',
    target: '/sync/push',
    headers: [AUTHORIZED, 'Content-Type: application/json'],
    body: JSON.stringify({ client_id: '⟦A.client⟧', atomic: 'mutation', changes }),
    encoding: 'plain',
    alongside,
  };
}

/** The same change in every collection, under mutation ids of A's from `firstMutation` on. */
const onEach = (operation: string, doc_id: string, more: object = {}, firstMutation = 0): object[] =>
  COLLECTIONS.map((collection, n) => ({
    collection,
    operation,
    doc_id,
    data: collection === 'typed' ? { name: 'mine' } : { title: 'mine' },
    mutation_id: `⟦A.mutation.${String(firstMutation + n)}⟧`,
    ...more,
  }));

/** What random drawing might take long to find: the plainest attacks, tried in every run of the tests before the random ones. */
export const PLAIN_ATTACKS: readonly Step[][] = [
  [
    push([{ collection: 'notes', operation: 'upsert', doc_id: 'own-1', data: { title: 'mine' } }]),
    get('/sync/pull'),
    get('/sync/pull?limit=1'),
    get('/sync/pull?since=⟦B.version.0⟧'),
    { kind: 'alice', collection: 'notes', changes: 2 },
    get('/sync/pull?since=⟦B.version.0⟧'),
    get('/sync/pull?since=⟦A.version.1⟧'),
    get('/sync/full?limit=0'),
    get('/sync/info'),
    ...COLLECTIONS.map((name) =>
      get(`/sync/documents?collection=${name}&ids=live&ids=gone&ids=⟦A.id.0⟧&ids=own-1`),
    ),
    get('/sync/full?limit=0', 'Accept-Encoding: gzip'),
    get('/sync/full?cursor=⟦A.page.0⟧'),
    get(
      '/sync/full?cursor=⟦base64:{"v":1,"scope":"⟦B.scope⟧","collections":["notes"],"index":0,"from":"[\\"⟦A.scope⟧\\",\\"live\\"]","lastSeq":"⟦B.version.0⟧"}⟧',
    ),
  ],
  ['live', 'gone', '⟦A.id.0⟧'].flatMap((id) => [
    push(onEach('upsert', id)),
    push(onEach('upsert', id, { parent_version: '⟦A.version.0⟧', mutation_id: undefined })),
    push(onEach('delete', id, { parent_version: '⟦A.version.2⟧', mutation_id: undefined })),
    get('/sync/pull'),
  ]),
  // While A sends the same mutation ids again, with the same client id.
  ['own-1', 'own-2', 'own-3', 'own-4', 'live', '⟦A.id.1⟧'].flatMap((id, round) => [
    push(onEach('upsert', id, {}, round * COLLECTIONS.length), true),
    push(onEach('delete', id, { mutation_id: undefined }), true),
  ]),
];
