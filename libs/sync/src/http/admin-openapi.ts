import { documentPieces, type DocumentPiece } from 'nest-offline-sync-protocol';

const { text, integer, flag, nullable, list, named, object } = documentPieces;
const time: DocumentPiece = { type: 'string', format: 'date-time' };
const page = (row: string): DocumentPiece =>
  object({
    rows: list(named(row)),
    next: nullable({ ...text, description: 'cursor of the next page; null: this is the last one.' }),
  });
const lease = nullable(object({ held: flag, here: flag, expires_at: time }));

const SCHEMAS: Readonly<Record<string, DocumentPiece>> = {
  SyncAdminScope: object({
    ...{ scope: text, head: text, seq: integer, floor: text, floor_seq: integer },
    ...{ entries: integer, waiting: integer, changed_at: nullable(time) },
  }),
  SyncAdminScopes: page('SyncAdminScope'),
  SyncAdminDevice: object({
    ...{ scope: text, actor: text, client: nullable(text), client_schema: nullable(text) },
    ...{ first_seen_at: time, seen_at: time },
    ...{ push_at: nullable(time), pull_at: nullable(time), socket_at: nullable(time) },
    will_reload: { ...flag, description: 'It has to load one of its scopes again.' },
    scopes: list(
      object({
        ...{ scope: text, seen_at: time, version: nullable(text), seq: nullable(integer) },
        behind: nullable({ ...integer, description: 'Entries that it lacks; null: not known.' }),
        ...{ behind_ms: nullable(integer), will_reload: nullable(flag) },
      }),
    ),
  }),
  SyncAdminDevices: page('SyncAdminDevice'),
  SyncAdminRefused: object(
    {
      ...{ id: text, at: time, scope: text, actor: text, client: text, client_schema: nullable(text) },
      ...{ collection: nullable(text), doc_id: nullable({ oneOf: [text, integer] }) },
      ...{ operation: nullable(text), mutation_id: nullable(text), code: text, error: nullable(text) },
      applied: nullable(object({ at: time, status: text, code: nullable(text) })),
    },
    { change: { type: 'object', description: 'As it was sent, with refusedBodies.' } },
  ),
  SyncAdminRefusedPage: page('SyncAdminRefused'),
  SyncAdminStatus: object({
    server_time: time,
    versions: object({ package: text, wire: integer, node: text }),
    health: object({ status: { type: 'string', enum: ['up', 'down'] }, details: { type: 'object' } }),
    change_stream: object({ alive: flag, reopened: integer }),
    trimming: object({
      ...{ interval_ms: integer, log_days: { type: 'number' }, max_entries: nullable(integer) },
      ...{ receipt_days: { type: 'number' }, tombstone_days: { type: 'number' }, lease },
    }),
    capture: nullable(
      object({
        ...{ collections: list(text), lease },
        ...{ recorded_up_to: nullable(time), behind_ms: nullable(integer) },
      }),
    ),
    register: object({ devices: integer, left_out: integer }),
    database: object({
      ...{ name: text, missing: list(text), scopes: integer },
      collections: list(object({ collection: text, documents: nullable(integer), bytes: nullable(integer) })),
    }),
  }),
  SyncAdminVerify: object({}, { collections: list(text), scope: text, limit: integer }),
  SyncAdminVerification: object(
    { finished: flag },
    {
      report: { type: 'object', description: 'What verify says, if it has finished.' },
      progress: object({ scopes: integer, documents: integer, differences: integer }),
    },
  ),
};

const query = (name: string, schema: DocumentPiece, description: string): DocumentPiece => ({
  ...{ name, in: 'query', required: false, description, schema },
});
const PAGE = [
  query('limit', { ...integer, minimum: 1, maximum: 200, default: 50 }, 'Rows of the page.'),
  query('cursor', text, '`next` of the page before.'),
  query('scope', text, 'Only rows of this scope.'),
];
const inPath = (name: string): DocumentPiece => ({ name, in: 'path', required: true, schema: text });

interface Described {
  readonly method: 'get' | 'post';
  readonly id: string;
  readonly summary: string;
  readonly answer: string;
  readonly parameters?: readonly DocumentPiece[];
  readonly body?: string;
}

/** By what follows the path of the module. */
const ROUTES: Readonly<Record<string, Described>> = {
  scopes: {
    ...{ method: 'get', id: 'syncAdminScopes', summary: 'Lists scopes' },
    ...{ answer: 'SyncAdminScopes', parameters: PAGE },
  },
  'scopes/{scope}': {
    ...{ method: 'get', id: 'syncAdminScope', summary: 'Shows one scope' },
    ...{ answer: 'SyncAdminScope', parameters: [inPath('scope')] },
  },
  devices: {
    ...{ method: 'get', id: 'syncAdminDevices', summary: 'Lists devices, those first that were seen last' },
    ...{ answer: 'SyncAdminDevices', parameters: PAGE },
  },
  refused: {
    ...{ method: 'get', id: 'syncAdminRefused', summary: 'Lists refused changes, the newest first' },
    ...{ answer: 'SyncAdminRefusedPage', parameters: PAGE },
  },
  'refused/{id}/apply': {
    ...{ method: 'post', id: 'syncAdminApply', summary: 'Pushes a refused change again' },
    ...{ answer: 'SyncPushAnswer', parameters: [inPath('id')] },
  },
  status: {
    ...{ method: 'get', id: 'syncAdminStatus', summary: 'Says how the engine does' },
    answer: 'SyncAdminStatus',
  },
  verify: {
    ...{ method: 'post', id: 'syncAdminVerify', summary: 'Compares documents and log, and writes nothing' },
    ...{ answer: 'SyncAdminVerification', body: 'SyncAdminVerify' },
  },
};

const REFUSALS: Readonly<Record<string, string>> = {
  '400': 'A parameter or the body is malformed',
  '401': 'No credentials, or bad ones',
  '403': 'No operator',
  '404': 'No such row or scope',
  '409': 'The body is not kept',
  '503': 'Busy, or the database cannot be reached',
};

/** The routes of an operator below a path, as pieces of an OpenAPI document. They refer to schemas of the sync routes. */
export function adminDocument(
  path: string,
  security: readonly DocumentPiece[],
): { readonly paths: Readonly<Record<string, DocumentPiece>>; readonly schemas: typeof SCHEMAS } {
  const content = (schema: string): DocumentPiece => ({ 'application/json': { schema: named(schema) } });
  const refusals = Object.fromEntries(
    Object.entries(REFUSALS).map(([status, description]) => [
      status,
      { description, content: content('SyncError') },
    ]),
  );
  const paths = Object.entries(ROUTES).map(([route, { method, id, summary, answer, parameters, body }]) => {
    const operation: DocumentPiece = {
      ...{ tags: ['sync admin'], operationId: id, summary, security },
      ...(parameters ? { parameters } : {}),
      ...(body === undefined ? {} : { requestBody: { required: false, content: content(body) } }),
      responses: { ...refusals, '200': { description: summary, content: content(answer) } },
    };
    return [`/${path}/${route}`, { [method]: operation }] as const;
  });
  return { paths: Object.fromEntries(paths), schemas: SCHEMAS };
}
