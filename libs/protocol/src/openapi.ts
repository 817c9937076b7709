/* eslint-disable max-lines -- a document: one piece for each route and body */
import { ERROR_CODES } from './errors.ts';
import { flag, integer, list, named, nullable, object, text } from './document-pieces.ts';
import { MAX_DOCUMENT_IDS } from './documents.ts';
import type { DocumentPiece } from './json.ts';

export interface HttpDocumentOptions {
  /** Path of the routes, with the app's global prefix. Default `sync`. */
  readonly prefix?: string;
  readonly title?: string;
  readonly version?: string;
  /** Of each operation, as OpenAPI has it. Default: a bearer token. */
  readonly security?: readonly DocumentPiece[];
}

const version: DocumentPiece = { type: 'string', example: '20260502T120000.000Z-0001-a1b2' };
const time: DocumentPiece = {
  type: 'string',
  format: 'date-time',
  description: 'The clock that stamps are judged by.',
};
const docId: DocumentPiece = { oneOf: [text, integer], example: 'task-abc-123' };
const data: DocumentPiece = { type: 'object', nullable: true, additionalProperties: true };

const clientSchema: DocumentPiece = {
  oneOf: [{ type: 'string', maxLength: 128 }, integer],
  description: 'The version of the client’s own data model, as the app calls it.',
};

const EXPECTED = 'X-Sync-Identity of an earlier answer: as anybody else the request is refused.';

/** The bodies of the sync routes, by name. docs/protocol.md has every field and code. */
const SCHEMAS: Readonly<Record<string, DocumentPiece>> = {
  SyncPush: object(
    {
      client_id: { ...text, maxLength: 128, example: 'device-1' },
      changes: { ...list(named('SyncPushedChange')), minItems: 1 },
    },
    {
      atomic: { type: 'string', enum: ['batch', 'mutation'] },
      scope: nullable({ ...text, example: 'user:alice', description: 'One of GET scopes; none: your own.' }),
      client_schema: clientSchema,
      expected_identity: nullable({ ...text, description: EXPECTED }),
    },
  ),
  SyncPushedChange: object(
    {
      collection: { ...text, example: 'tasks' },
      operation: { type: 'string', enum: ['upsert', 'patch', 'delete'] },
      doc_id: docId,
    },
    {
      data: { ...data, example: { title: 'Acquire inventory', done: false } },
      unset: list(text),
      inc: { type: 'object', additionalProperties: { type: 'number' } },
      add: { type: 'object', additionalProperties: list({}) },
      remove: { type: 'object', additionalProperties: list({}) },
      parent_version: nullable({ ...version, description: 'The version that the device had, or null.' }),
      mutation_id: nullable({
        oneOf: [text, integer],
        example: 'm-1',
        description: 'Makes a retry safe: it gets the first answer again.',
      }),
      hlc: nullable({ ...version, description: 'When the device edited, by its own clock.' }),
      parent_mutation_id: nullable({
        oneOf: [text, integer],
        description: 'An earlier mutation of this device that the change builds on.',
      }),
      return: nullable({ type: 'string', enum: ['document'] }),
      group: nullable({
        oneOf: [text, integer],
        description: 'Changes of one group stand or fall together.',
      }),
    },
  ),
  SyncPushAnswer: object({ results: list(named('SyncPushResult')) }, { server_time: time }),
  SyncPushResult: object(
    {
      doc_id: nullable({ ...docId, description: 'Null if the one sent was unusable.' }),
      status: { type: 'string', enum: ['accepted', 'conflict_resolved', 'rejected'] },
      new_version: nullable(version),
      server_version: nullable(version),
      code: nullable({ ...text, example: 'conflict_stale' }),
      error: nullable(text),
    },
    {
      server_document: nullable({
        ...object({ version: nullable(version), deleted: flag, data }),
        description: 'The current document, where there was a conflict or a rejection; null: there is none.',
      }),
      seq: { ...integer, description: 'The same as new_version, as an integer.' },
      changed: { ...flag, description: 'Only true: the stored document is not the one that was sent.' },
      mutation_id: text,
      replayed: { ...flag, description: 'Only true: this mutation was answered before.' },
    },
  ),
  SyncPullAnswer: object(
    {},
    {
      changes: list(named('SyncChange')),
      last_seq: { ...version, description: 'The next `since`.' },
      seq: integer,
      has_more: flag,
      full_resync_required: { ...flag, description: 'Only true: the cursor cannot be used any more.' },
      reason: { type: 'string', enum: ['too_old', 'unknown_cursor'] },
      collections: list(text),
    },
  ),
  SyncChange: object(
    {
      version,
      seq: { ...integer, description: 'The same order as version.' },
      collection: text,
      doc_id: docId,
      operation: { type: 'string', enum: ['upsert', 'delete'] },
      data,
      parent_version: nullable(version),
    },
    {
      hlc: { ...version, description: 'The edit stamp, if it is not the version itself.' },
      client_id: { ...text, description: 'The device whose push wrote it.' },
      mutation_id: text,
    },
  ),
  SyncDocument: object({ collection: text, doc_id: docId, data, deleted: flag, version: nullable(version) }),
  SyncDocumentsAnswer: object({
    documents: list(named('SyncDocument')),
    missing: list(docId),
    remaining: { ...list(docId), description: 'Not looked at, because the answer would grow too large.' },
  }),
  SyncDigest: object({
    last_seq: { ...version, description: 'The moment at which it was taken.' },
    seq: integer,
    tombstone_floor: nullable({
      ...version,
      description: 'Deleted documents up to this version are not counted; null: all are.',
    }),
    collections: list(
      object({ collection: text, live: named('SyncDigestPart'), deleted: named('SyncDigestPart') }),
    ),
  }),
  SyncDigestPart: object({
    count: integer,
    hash: { ...text, description: '32 hex digits; the protocol page says how they are made.' },
  }),
  SyncScopes: object({
    scopes: list(
      object({ scope: text, access: { type: 'string', enum: ['read', 'write'] }, own: flag }, { kind: text }),
    ),
  }),
  SyncInfo: object({
    server_time: time,
    versions: object({ package: text, wire: integer }),
    features: list(text),
    limits: { type: 'object', additionalProperties: integer },
    default_atomic: { type: 'string', enum: ['batch', 'mutation'] },
    stream: nullable(object({ ping_interval_ms: integer, subscribe_timeout_ms: integer })),
    retention: object({
      log_days: { type: 'number' },
      receipt_days: { type: 'number' },
      tombstone_days: { type: 'number' },
    }),
    collections: list(
      object({
        name: text,
        conflict: text,
        delete_policy: text,
        full_resync: flag,
        ids: { type: 'string', enum: ['global', 'scoped'] },
      }),
    ),
  }),
  SyncError: object(
    {
      statusCode: { ...integer, example: 400 },
      code: { type: 'string', enum: Object.keys(ERROR_CODES), example: 'invalid_limit' },
      message: text,
    },
    {
      path: { ...text, description: 'Where, if that is known.' },
      limit: { ...integer, description: 'How much may be sent, where it was too much.' },
      minimum: { oneOf: [text, integer], description: 'The oldest client_schema that is served.' },
    },
  ),
};

/** The refusals that every sync route has. */
const REFUSALS: Readonly<Record<string, string>> = {
  '400': 'A parameter or the body is malformed',
  '401': 'No token, an invalid or an expired one',
  '403': 'The credentials do not allow this',
  '409': 'Not served with this client_schema or this expected_identity',
  '413': 'Too large: send several pushes',
  '500': 'An error in the server; the message contains its id in the log',
  '503': 'Busy, or the database cannot be reached: retry after Retry-After seconds',
};

const content = (schema: DocumentPiece): DocumentPiece => ({ 'application/json': { schema } });

function parameter(
  name: string,
  schema: DocumentPiece,
  description: string,
  required = false,
): DocumentPiece {
  return { name, in: 'query', required, description, schema };
}
const COLLECTIONS = parameter('collections', text, 'Names, separated by commas; none: all.');
const COMMON = [
  parameter('scope', text, 'One of several scopes of the identity; none: its own.'),
  parameter('client_schema', clientSchema, 'The version of the client’s own data model.'),
  parameter('expected_identity', text, EXPECTED),
  parameter(
    'client_id',
    { ...text, maxLength: 128 },
    'The same as in pushes: operators see how far a device is.',
  ),
];

function answers(description: string, schema: string): DocumentPiece {
  return { ...refusals(), '200': { description, content: content(named(schema)) } };
}

function refusals(): DocumentPiece {
  return Object.fromEntries(
    Object.entries(REFUSALS).map(([status, description]) => [
      status,
      { description, content: content(named('SyncError')) },
    ]),
  );
}

/** By the last segment of the path. */
const OPERATIONS: Readonly<
  Record<string, { readonly method: 'get' | 'post'; readonly operation: DocumentPiece }>
> = {
  push: {
    method: 'post',
    operation: {
      operationId: 'syncPush',
      summary: 'Takes a device’s changes',
      requestBody: { required: true, content: content(named('SyncPush')) },
      responses: answers('One result per change, in order', 'SyncPushAnswer'),
    },
  },
  pull: {
    method: 'get',
    operation: {
      operationId: 'syncPull',
      summary: 'Returns what is new since a cursor',
      parameters: [
        parameter('since', text, 'last_seq of the previous answer; none: from the beginning.'),
        parameter('since_seq', integer, 'seq of the previous answer, instead of since.'),
        COLLECTIONS,
        parameter('limit', integer, 'Maximum number of entries in the answer.'),
        ...COMMON,
      ],
      responses: answers('Changes in order', 'SyncPullAnswer'),
    },
  },
  full: {
    method: 'get',
    operation: {
      operationId: 'syncFull',
      summary: 'Returns every current document, one JSON object per line',
      parameters: [
        COLLECTIONS,
        parameter('limit', integer, 'Documents per page; 0: everything in one response.'),
        parameter('cursor', text, 'X-Sync-Cursor of the previous page.'),
        parameter('tombstones', flag, 'false: no lines for deleted documents.'),
        parameter('count', flag, 'true: X-Sync-Count on the first page.'),
        ...COMMON,
      ],
      responses: {
        ...refusals(),
        '200': {
          description:
            'Lines of {collection, doc_id, data, deleted, version}; the last one is {end: true, last_seq, seq, cursor}',
          headers: {
            'X-Sync-LastSeq': { description: 'Pull from here afterwards.', schema: version },
            'X-Sync-Seq': { description: 'The same as an integer, if it is known.', schema: integer },
            'X-Sync-Count': { description: 'About how many rows all pages have.', schema: integer },
            'X-Sync-Cursor': { description: 'The next page, if there is one.', schema: text },
          },
          content: { 'application/x-ndjson': { schema: text } },
        },
      },
    },
  },
  documents: {
    method: 'get',
    operation: {
      operationId: 'syncDocuments',
      summary: 'Returns single documents with their versions',
      parameters: [
        parameter('collection', text, 'One name.', true),
        parameter(
          'ids',
          text,
          `A JSON array of at most ${MAX_DOCUMENT_IDS} ids, or one text id. Commas separate nothing.`,
          true,
        ),
        ...COMMON,
      ],
      responses: answers('Each id once: with its document, missing, or remaining', 'SyncDocumentsAnswer'),
    },
  },
  digest: {
    method: 'get',
    operation: {
      operationId: 'syncDigest',
      summary: 'Returns counts and hashes of what the scope has',
      parameters: [COLLECTIONS, ...COMMON],
      responses: answers('Live and deleted documents by collection', 'SyncDigest'),
    },
  },
  info: {
    method: 'get',
    operation: {
      operationId: 'syncInfo',
      summary: 'Says what a client has to know about this server',
      parameters: COMMON,
      responses: answers('Limits, features, readable collections, the time', 'SyncInfo'),
    },
  },
  scopes: {
    method: 'get',
    operation: {
      operationId: 'syncScopes',
      summary: 'Lists the scopes that the identity may use',
      responses: answers('The own scope first', 'SyncScopes'),
    },
  },
};

/** The last segments of the routes. */
export const HTTP_ROUTES: readonly string[] = Object.keys(OPERATIONS);

/**
 * The sync routes as an OpenAPI 3.0 document, for generators and for an app's own pages: parameters, bodies, headers and
 * refusals, with an operationId each.
 */
export function httpDocument({
  prefix = 'sync',
  title = 'nest-offline-sync',
  version: documentVersion = '1.0.0',
  security = [{ bearer: [] }],
}: HttpDocumentOptions = {}): {
  readonly openapi: string;
  readonly info: DocumentPiece;
  readonly paths: Readonly<Record<string, DocumentPiece>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, DocumentPiece>>;
    readonly securitySchemes: DocumentPiece;
  };
} {
  return {
    openapi: '3.0.3',
    info: { title, version: documentVersion },
    paths: Object.fromEntries(
      Object.entries(OPERATIONS).map(([route, { method, operation }]) => [
        `/${prefix}/${route}`,
        { [method]: { tags: ['sync'], ...operation, security } },
      ]),
    ),
    components: {
      schemas: SCHEMAS,
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  };
}
