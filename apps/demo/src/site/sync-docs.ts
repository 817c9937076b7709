import type { OpenAPIObject } from '@nestjs/swagger';

type Schemas = NonNullable<NonNullable<OpenAPIObject['components']>['schemas']>;
type Paths = OpenAPIObject['paths'];

const VERSION = { type: 'string', example: '20260502T120000.000Z-0001-a1b2' } as const;
const ID_FORMS = [{ type: 'string' as const }, { type: 'integer' as const }];
const DOC_ID = { oneOf: ID_FORMS, example: 'task-abc-123' };
const DATA = { type: 'object', nullable: true, additionalProperties: true } as const;
const OPERATION = { type: 'string', enum: ['upsert', 'delete'] };

/** The bodies of the sync routes. docs/protocol.md has every field and code. */
export const syncSchemas: Schemas = {
  SyncPush: {
    type: 'object',
    required: ['client_id', 'changes'],
    properties: {
      client_id: { type: 'string', example: 'device-1' },
      scope: {
        type: 'string',
        nullable: true,
        example: 'user:alice',
        description: 'One of GET scopes; none: your own.',
      },
      atomic: { type: 'string', enum: ['batch', 'mutation'] },
      changes: { type: 'array', minItems: 1, items: { $ref: '#/components/schemas/SyncPushedChange' } },
    },
  },
  SyncPushedChange: {
    type: 'object',
    required: ['collection', 'operation', 'doc_id'],
    properties: {
      collection: { type: 'string', example: 'tasks' },
      operation: OPERATION,
      doc_id: DOC_ID,
      data: { ...DATA, example: { title: 'Acquire inventory', done: false } },
      parent_version: {
        ...VERSION,
        nullable: true,
        description: 'The version that the device had, or null.',
      },
      mutation_id: {
        oneOf: ID_FORMS,
        nullable: true,
        example: 'm-1',
        description: 'Makes a retry safe: it gets the first answer again.',
      },
      hlc: { ...VERSION, nullable: true, description: 'When the device edited, by its own clock.' },
    },
  },
  SyncPushAnswer: {
    type: 'object',
    required: ['results'],
    properties: { results: { type: 'array', items: { $ref: '#/components/schemas/SyncPushResult' } } },
  },
  SyncPushResult: {
    type: 'object',
    required: ['doc_id', 'status', 'new_version', 'server_version', 'code', 'error'],
    properties: {
      doc_id: { ...DOC_ID, nullable: true, description: 'Null if the one sent was unusable.' },
      status: { type: 'string', enum: ['accepted', 'conflict_resolved', 'rejected'] },
      new_version: { ...VERSION, nullable: true },
      server_version: { ...VERSION, nullable: true },
      code: { type: 'string', nullable: true, example: 'conflict_stale' },
      error: { type: 'string', nullable: true },
      server_document: {
        type: 'object',
        description: 'The current document, if there was a conflict.',
        required: ['version', 'deleted', 'data'],
        properties: { version: VERSION, deleted: { type: 'boolean' }, data: DATA },
      },
      mutation_id: { type: 'string' },
      replayed: { type: 'boolean', description: 'Only true: this mutation was answered before.' },
    },
  },
  SyncPullAnswer: {
    type: 'object',
    properties: {
      changes: { type: 'array', items: { $ref: '#/components/schemas/SyncChange' } },
      last_seq: { ...VERSION, description: 'The next `since`.' },
      seq: { type: 'integer' },
      has_more: { type: 'boolean' },
      full_resync_required: {
        type: 'boolean',
        description: 'Only true: the cursor cannot be used any more.',
      },
      reason: { type: 'string', enum: ['too_old', 'unknown_cursor'] },
      collections: { type: 'array', items: { type: 'string' } },
    },
  },
  SyncScopes: {
    type: 'object',
    required: ['scopes'],
    properties: {
      scopes: {
        type: 'array',
        items: {
          type: 'object',
          required: ['scope', 'access', 'own'],
          properties: {
            scope: { type: 'string', example: 'user:alice' },
            access: { type: 'string', enum: ['read', 'write'] },
            own: { type: 'boolean', description: 'The one that counts where none is named.' },
            kind: { type: 'string', example: 'user', description: 'What the app calls scopes like this.' },
          },
        },
      },
    },
  },
  SyncError: {
    type: 'object',
    required: ['statusCode', 'message'],
    properties: {
      statusCode: { type: 'integer', example: 400 },
      code: {
        type: 'string',
        example: 'invalid_limit',
        description: 'Missing if the JSON itself is malformed.',
      },
      message: { type: 'string' },
      path: { type: 'string', description: 'Where, if that is known.' },
    },
  },
  SyncChange: {
    type: 'object',
    required: ['version', 'seq', 'collection', 'doc_id', 'operation', 'data', 'parent_version'],
    properties: {
      version: VERSION,
      seq: { type: 'integer', description: 'The same order as version.' },
      collection: { type: 'string' },
      doc_id: DOC_ID,
      operation: OPERATION,
      data: DATA,
      parent_version: { ...VERSION, nullable: true },
      hlc: { ...VERSION, description: 'The edit stamp, if it is not the version itself.' },
    },
  },
};

/** The refusals that every sync route has. */
const REFUSALS: Readonly<Record<string, string>> = {
  '400': 'A parameter or the body is malformed',
  '401': 'No token, an invalid or an expired one',
  '403': 'The credentials do not allow this',
  '413': 'Too large: send several pushes',
  '500': 'An error in the server; the message contains its id in the log',
  '503': 'Busy, or the database cannot be reached: retry after Retry-After seconds',
};

/** The routes under a prefix such as `/sync`. */
export function syncPaths(prefix: string): Paths {
  const common = { tags: ['sync'], security: [{ bearer: [] }] };
  const scope = parameter('scope', 'string', 'One of GET scopes; none: your own.');
  const collections = parameter(
    'collections',
    'string',
    'Names, separated by commas; none: all.',
    'tasks,orders',
  );
  return {
    [`${prefix}/push`]: {
      post: {
        ...common,
        summary: 'Takes a device’s changes',
        requestBody: { required: true, content: json('SyncPush') },
        responses: {
          '200': { description: 'One result per change, in order', content: json('SyncPushAnswer') },
          ...refusals(),
        },
      },
    },
    [`${prefix}/scopes`]: {
      get: {
        ...common,
        summary: 'Lists the scopes that you may use, your own one first',
        responses: { '200': { description: 'The scopes', content: json('SyncScopes') }, ...refusals() },
      },
    },
    [`${prefix}/pull`]: {
      get: {
        ...common,
        summary: 'Returns what is new since a cursor',
        parameters: [
          scope,
          parameter('since', 'string', 'last_seq of the previous answer; none: from the beginning.'),
          collections,
          parameter('limit', 'integer', 'Maximum number of entries in the answer.'),
        ],
        responses: {
          '200': { description: 'Changes in order', content: json('SyncPullAnswer') },
          ...refusals(),
        },
      },
    },
    [`${prefix}/full`]: {
      get: {
        ...common,
        summary: 'Returns every current document, one JSON object per line',
        parameters: [
          scope,
          collections,
          parameter('limit', 'integer', 'Documents per page; 0: everything in one response.'),
          parameter('cursor', 'string', 'X-Sync-Cursor of the previous page.'),
        ],
        responses: {
          '200': {
            description:
              'Lines of {collection, doc_id, data, deleted, version}; the last one is {end: true, last_seq, cursor}',
            headers: {
              'X-Sync-LastSeq': { description: 'Pull from here afterwards.', schema: VERSION },
              'X-Sync-Cursor': {
                description: 'The next page, if there is one.',
                schema: { type: 'string' },
              },
            },
            content: { 'application/x-ndjson': { schema: { type: 'string' } } },
          },
          ...refusals(),
        },
      },
    },
  };
}

function json(schema: string): Record<string, { schema: { $ref: string } }> {
  return { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } };
}

function refusals() {
  return Object.fromEntries(
    Object.entries(REFUSALS).map(([status, description]) => [
      status,
      { description, content: json('SyncError') },
    ]),
  );
}

function parameter(name: string, type: 'string' | 'integer', description: string, example?: string) {
  return { name, in: 'query' as const, required: false, description, schema: { type }, example };
}
