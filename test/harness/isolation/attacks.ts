import * as fc from 'fast-check';
import { collectionNames, oddJson, pushBody, versions } from './hostile-json';
import { COLLECTIONS } from './world';

/** A request of B's over HTTP, with ⟦names⟧ in every part. */
export interface HttpStep {
  readonly kind: 'http';
  readonly method: string;
  readonly target: string;
  readonly headers: readonly string[];
  readonly body: string | null;
  /** How the body is compressed; `lie`: only said to be. */
  readonly encoding: 'plain' | 'gzip' | 'br' | 'lie';
  /** A pushes at the same time: both meet in one transaction. */
  readonly alongside: boolean;
}
/** Bytes on a connection as they are: more requests than one, or none at all. */
export interface RawStep {
  readonly kind: 'raw';
  readonly text: string;
}
/** A pushes at the same time: B must notice nothing. */
export interface AliceStep {
  readonly kind: 'alice';
  readonly collection: string;
  readonly changes: number;
}
export type Step = HttpStep | RawStep | AliceStep;

const among = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);
/** Names of the lexicon's tokens that are good ones of B's, and that are not. */
export const BAD_TOKENS = [
  'none', 'empty', 'garbage', 'expired-a', 'none-a', 'none-b', 'other-key-a', 'spliced-a', 'hs512-a', 'issuer-a', 'array-a', 'object-a',
  'hex-a', 'proto-a', 'nested-a', 'nul-a', 'space-a', 'upper-a', 'missing', 'number', 'null', 'surrogate', 'long', 'payload-array',
  'payload-text', 'payload-null', 'exp-text', 'exp-huge', 'double-a', 'basic-a', 'two-spaces', 'comma-a', 'actor-object', 'kid-path',
] as const; // prettier-ignore
const token = fc.oneof(
  { weight: 6, arbitrary: fc.constant('⟦token.good⟧') },
  { weight: 1, arbitrary: fc.constantFrom(...BAD_TOKENS).map((name) => `⟦token.${name}⟧`) },
);
export const authorization = fc.oneof(
  { weight: 30, arbitrary: token.map((text) => [`Authorization: ${text}`]) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<string[]>(
      [],
      ['Authorization: ⟦token.good⟧', 'Authorization: ⟦token.none-a⟧'],
      ['Authorization: ⟦token.none-a⟧', 'Authorization: ⟦token.good⟧'],
      ['authorization: ⟦token.good⟧', 'Proxy-Authorization: ⟦token.none-a⟧'],
      ['Cookie: token=⟦jwt.none-a⟧; jwt=⟦jwt.none-a⟧'],
    ),
  },
);

const extraHeader = among(
  'X-Forwarded-For: 127.0.0.1', 'X-Forwarded-Host: ⟦A.scope⟧', 'X-Forwarded-Prefix: /admin', 'Forwarded: for=127.0.0.1;host=a',
  'X-HTTP-Method-Override: DELETE', 'X-Method-Override: PUT', 'X-Original-URL: /sync/full', 'X-Rewrite-URL: /sync/full',
  'Range: bytes=0-1', 'If-Range: x', 'If-None-Match: *', 'If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT', 'Expect: 100-continue',
  'Accept-Encoding: gzip', 'Accept-Encoding: gzip;q=0, identity', 'Accept-Encoding: br, *;q=0', 'Accept: text/html', 'Accept: application/xml',
  'X-Scope-Id: ⟦A.scope⟧', 'X-Tenant: ⟦A.scope⟧', 'X-User-Id: ⟦A.actor⟧', 'X-Sync-Scope: ⟦A.scope⟧', 'X-Sync-Cursor: ⟦A.page.0⟧',
  'Origin: null', 'Referer: /⟦A.scope⟧', 'Transfer-Encoding: identity', 'Upgrade: h2c', 'Upgrade: websocket', 'Content-MD5: x',
  'X-Long: ' + 'h'.repeat(8_000), 'X-Latin: \u00e9\u00ff', 'Cookie: a=b; __proto__=c', 'Trailer: x', 'TE: trailers', 'Via: 1.0 x',
  'Cache-Control: only-if-cached', 'Content-Language: de', 'Prefer: return=minimal',
); // prettier-ignore
const extraHeaders = fc.oneof(
  { weight: 3, arbitrary: fc.constant<string[]>([]) },
  { weight: 1, arbitrary: fc.array(extraHeader, { minLength: 1, maxLength: 3 }) },
);

const push: fc.Arbitrary<HttpStep> = fc
  .record({
    authorization,
    extraHeaders,
    body: pushBody,
    contentType: fc.oneof(
      { weight: 15, arbitrary: fc.constant('Content-Type: application/json') },
      {
        weight: 1,
        arbitrary: among(
          'Content-Type: text/plain', 'Content-Type: application/x-www-form-urlencoded', 'Content-Type: application/x-ndjson',
          'Content-Type: multipart/form-data; boundary=x', 'Content-Type: application/json; charset=utf-16',
          'Content-Type: application/json; charset=utf-7', 'Content-Type: application/vnd.api+json', 'X-No-Content-Type: 1',
        ),
      },
    ),
    alongside: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    encoding: fc.oneof(
      { weight: 15, arbitrary: fc.constant('plain' as const) },
      { weight: 1, arbitrary: fc.constantFrom('gzip' as const, 'br' as const, 'lie' as const) },
    ),
    method: fc.oneof({ weight: 25, arbitrary: fc.constant('POST') }, { weight: 1, arbitrary: among('PUT', 'PATCH', 'GET', 'DELETE') }),
    query: fc.oneof(
      { weight: 12, arbitrary: fc.constant('') },
      { weight: 1, arbitrary: among('?scope_id=⟦A.scope⟧', '?_method=DELETE', '?token=⟦jwt.none-a⟧', '?atomic=mutation&__proto__[x]=1') },
    ),
  })
  .map((it) => ({
    kind: 'http',
    method: it.method,
    target: `/sync/push${it.query}`,
    headers: [...it.authorization, it.contentType, ...it.extraHeaders],
    body: it.body,
    encoding: it.encoding,
    alongside: it.alongside,
  })); // prettier-ignore

const since = fc.oneof(
  { weight: 3, arbitrary: fc.nat(6).map((n) => `since=⟦B.version.${String(n)}⟧`) },
  { weight: 1, arbitrary: versions.map((version) => `since=${version}`) },
);
const limit = fc.nat(12).map((count) => `limit=${String(count)}`);
/** What a well-meaning client asks, so that answers have something in them. */
const goodQuery = fc
  .tuple(
    ...[since, collectionNames.map((names) => `collections=${names}`), limit].map((one) =>
      fc.option(one, { nil: '' }),
    ),
  )
  .map((parameters) => parameters.filter((text) => text !== ''));

const parameter = fc.oneof(
  { weight: 6, arbitrary: versions.map((version) => `since=${version}`) },
  { weight: 6, arbitrary: collectionNames.map((names) => `collections=${names}`) },
  { weight: 3, arbitrary: limit },
  { weight: 2, arbitrary: fc.constantFrom(...COLLECTIONS).map((name) => `collection=${name}`) },
  {
    weight: 3,
    arbitrary: among(
      'ids=live', 'ids=⟦A.id.0⟧', 'ids=own-1', 'ids=%5B%22live%22,7%5D', 'ids=%5B%22%5B%5C%22⟦A.scope⟧%5C%22,%5C%22live%5C%22%5D%22%5D', 'ids[$ne]=x',
      'ids[]=gone', 'ids=%5B', 'client_schema=1', 'client_schema[$gt]=',
    ),
  },
  {
    weight: 3,
    arbitrary: among(
      'since_seq=0', 'since_seq=1', 'since_seq=3', 'since_seq=7', 'since_seq=40', 'since_seq=-1', 'since_seq=9007199254740993', 'since_seq=⟦A.version.0⟧',
      'since_seq[$gt]=0', 'since_seq=1&since_seq=2', 'since_seq=2&since=⟦A.version.1⟧', 'tombstones=false', 'tombstones[$ne]=x',
      'expected_identity=', 'expected_identity=⟦A.scope⟧', 'expected_identity[$ne]=x',
    ),
  },
  { weight: 4, arbitrary: fc.nat(2).map((page) => `cursor=⟦A.page.${String(page)}⟧`) },
  { weight: 4, arbitrary: fc.nat(2).map((page) => `cursor=⟦B.page.${String(page)}⟧`) },
  {
    weight: 5,
    arbitrary: fc
      .record({
        scope: among('"⟦B.scope⟧"', '"⟦B.scope⟧"', '"⟦A.scope⟧"', '["⟦B.scope⟧"]'),
        collections: fc.oneof(
          fc.constantFrom(...COLLECTIONS).map((name) => `["${name}"]`),
          among('["sync_oplog"]', '["notes","shared"]', '[]', '"notes"', '[1]', '{"length":1}'),
        ),
        index: among('0', '0', '1', '-1', '1e3', '"0"'),
        from: fc.oneof(
          among('"live"', '"[\\"⟦A.scope⟧\\",\\"live\\"]"', '{"$minKey":1}', '{"$maxKey":1}', '{"$oid":"5f0000000000000000000000"}',
            '{"$gt":""}', '{"$numberLong":"1"}', '{"$binary":{"base64":"","subType":"04"}}', '{"$code":"1"}', '{"$regularExpression":{"pattern":".*","options":""}}',
            '{"$undefined":true}', '{"$symbol":"x"}', '{"$dbPointer":{}}', '{"$date":"x"}', '{"$numberDecimal":"x"}', '{"$uuid":"x"}'),
          oddJson,
        ),
        lastSeq: versions.map((version) => `"${version}"`),
      })
      .map((it) => `cursor=⟦base64:{"v":1,"scope":${it.scope},"collections":${it.collections},"index":${it.index},"from":${it.from},"lastSeq":${it.lastSeq}}⟧`),
  },
  {
    weight: 3,
    arbitrary: among(
      'since[]=⟦A.version.1⟧', 'since[$gt]=', 'since=', 'since=%00', 'since=now', 'collections[]=notes', 'collections[$ne]=x', 'collections[0][x]=1',
      'collections=notes&collections=shared', 'limit=-1', 'limit=1e3', 'limit[]=5', 'limit=99999999999999999999', 'limit=0x10', 'limit= 5',
      'cursor=garbage', 'cursor[]=a', 'cursor=e30', 'cursor=bnVsbA', '__proto__[since]=x', 'constructor[prototype][x]=1', 'scope_id=⟦A.scope⟧',
      'scope=⟦A.scope⟧', 'business_id=⟦A.scope⟧', 'user[business_id]=⟦A.scope⟧', 'token=⟦jwt.none-a⟧', 'access_token=⟦jwt.none-a⟧', 'format=bson',
      'actor=⟦A.actor⟧', '%', '%ff=%fe', 'a=' + 'q'.repeat(4_000), '=', '&&&', 'toString=1', 'hasOwnProperty=1',
    ),
  },
); // prettier-ignore

const read: fc.Arbitrary<HttpStep> = fc
  .record({
    authorization,
    extraHeaders,
    path: fc.oneof(
      { weight: 12, arbitrary: among('/sync/pull', '/sync/full') },
      { weight: 3, arbitrary: among('/sync/documents', '/sync/documents?collection=notes', '/sync/info') },
      { weight: 3, arbitrary: among('/sync/digest', '/sync/digest', '/sync/digest?scope=⟦A.scope⟧', '/sync/scopes') },
      {
        weight: 1,
        arbitrary: among(
          '/sync/full/', '//sync/full', '/sync/../sync/full', '/sync/%66ull', '/SYNC/FULL', '/sync/pull/⟦A.id.0⟧', '/sync/full;x=1', '/sync/stream', '/sync',
          '/', '/metrics', '/health', '/sync/%2e%2e/', '/sync/full%00', '/sync/push', 'http://localhost/sync/pull', '*', '/sync/pull#x',
        ),
      },
    ),
    parameters: fc.oneof(goodQuery, fc.array(parameter, { maxLength: 3 })),
    method: fc.oneof(
      { weight: 20, arbitrary: fc.constant('GET') },
      { weight: 1, arbitrary: among('HEAD', 'OPTIONS', 'POST', 'DELETE', 'TRACE', 'PROPFIND', 'SEARCH', 'get') },
    ),
    body: fc.oneof(
      { weight: 15, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: among('{"scope_id":"⟦A.scope⟧"}', 'since=x') },
    ),
  })
  .map((it) => ({
    kind: 'http',
    method: it.method,
    target: it.path + (it.parameters.length > 0 ? `${it.path.includes('?') ? '&' : '?'}${it.parameters.join('&')}` : ''),
    headers: [...it.authorization, ...it.extraHeaders],
    body: it.body,
    encoding: 'plain',
    alongside: false,
  })); // prettier-ignore

const raw: fc.Arbitrary<RawStep> = among(
  // Smuggling: the second request must not run as anyone else; both are B's or refused.
  'POST /sync/push HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /sync/full HTTP/1.1\r\nHost: x\r\nAuthorization: ⟦token.none-a⟧\r\nConnection: close\r\n\r\n',
  'GET /sync/pull HTTP/1.1\r\nHost: x\r\nAuthorization: ⟦token.good⟧\r\n\r\nGET /sync/pull HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  'GET /sync/full?limit=0 HTTP/1.1\r\nHost: x\r\nAuthorization: ⟦token.good⟧\r\n\r\nGET /sync/pull HTTP/1.1\r\nHost: x\r\nAuthorization: ⟦token.none-a⟧\r\nConnection: close\r\n\r\n',
  'GET /sync/pull HTTP/1.0\r\nAuthorization: ⟦token.good⟧\r\n\r\n',
  'GET /sync/full HTTP/1.0\r\nAuthorization: ⟦token.good⟧\r\nAccept-Encoding: gzip\r\n\r\n',
  'GET /sync/pull HTTP/1.1\r\nAuthorization: ⟦token.good⟧\r\nConnection: close\r\n\r\n',
  'GET /sync/pull HTTP/1.1\r\nHost: x\r\nAuthorization: ⟦token.good⟧\r\n folded: ⟦token.none-a⟧\r\nConnection: close\r\n\r\n',
  'GET /sync/pull\r\n\r\n',
  'GET /sync/pull HTTP/9.9\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  '\u0016\u0003\u0001\u0002\u0000\u0001\u0000',
  'POST /sync/push HTTP/1.1\r\nHost: x\r\nAuthorization: ⟦token.good⟧\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n',
  'POST /sync/push HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
  `GET /${'u'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
).map((text) => ({ kind: 'raw', text }));

const alice: fc.Arbitrary<AliceStep> = fc.record({
  kind: fc.constant('alice' as const),
  collection: fc.constantFrom(...COLLECTIONS),
  changes: fc.integer({ min: 1, max: 4 }),
});

/** What B does, with A's own pushes in between. */
export const steps = (maxLength: number): fc.Arbitrary<Step[]> =>
  fc.array(
    fc.oneof<fc.WeightedArbitrary<Step>[]>(
      { weight: 10, arbitrary: push },
      { weight: 8, arbitrary: read },
      { weight: 1, arbitrary: raw },
      { weight: 2, arbitrary: alice },
    ),
    { minLength: 1, maxLength, size: 'max' },
  );
