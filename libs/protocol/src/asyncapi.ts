import type { DocumentPiece } from './json.ts';
import { ERROR_CODES } from './errors.ts';
import { STREAM_CLOSE, type ClientMessage } from './stream.ts';

/** A JSON object of a document. */

/** What an app's own document says of the socket. */
export interface SocketDocumentOptions {
  /** Where the socket is. Default `/sync/stream`. */
  readonly address?: string;
  readonly title?: string;
  readonly version?: string;
  /** Servers as AsyncAPI 3 describes them. Default: none. */
  readonly servers?: DocumentPiece;
}

const text: DocumentPiece = { type: 'string' };
const version: DocumentPiece = { type: 'string', examples: ['20260502T120000.000Z-0001-a1b2'] };
const names: DocumentPiece = { type: 'array', items: text };
const ownScope: DocumentPiece = {
  ...text,
  description: 'One of several that the identity may use. Missing: its own.',
};
const ofScope: DocumentPiece = {
  ...text,
  description: 'For a client that has named scopes: which one it is about.',
};
const code: DocumentPiece = { type: 'string', enum: Object.keys(ERROR_CODES) };
const identity: DocumentPiece = {
  ...text,
  description:
    '`identity` of an earlier `subscribed`, or `X-Sync-Identity`. With other credentials: `identity_changed`.',
};
const pushId: DocumentPiece = {
  description: 'Chosen by the client, unlike that of any push of this socket that has no answer yet.',
  oneOf: [{ type: 'string', minLength: 1, maxLength: 128 }, { type: 'integer' }],
};

const clientSchema: DocumentPiece = {
  description: "The version of the client's data model, as the app calls it.",
  oneOf: [{ type: 'string', maxLength: 128 }, { type: 'integer' }],
};
const serverTime: DocumentPiece = {
  type: 'string',
  format: 'date-time',
  description: 'The clock that stamps are judged by.',
};
/** Of refusals. */
const bounds: Readonly<Record<string, DocumentPiece>> = {
  limit: { type: 'integer', description: 'How much may be sent, where it was too much.' },
  minimum: {
    description: 'With `client_outdated`: the oldest `client_schema` that is served.',
    oneOf: [text, { type: 'integer' }],
  },
};

interface Described {
  readonly about: string;
  /** By name; those that must be there first. */
  readonly required: Readonly<Record<string, DocumentPiece>>;
  readonly optional?: Readonly<Record<string, DocumentPiece>>;
}

// The type makes sure that none is forgotten.
const FROM_CLIENT: Record<ClientMessage['type'], Described> = {
  subscribe: {
    about:
      'Asks for everything above `since`, then what follows. Replaces an earlier subscription of the same scope.',
    required: {},
    optional: {
      scope: ownScope,
      since: {
        ...version,
        description: '`last_seq` or a version of earlier answers. Missing: from the beginning',
      },
      since_seq: {
        type: 'integer',
        minimum: 0,
        description: 'A `seq` of earlier answers, instead of `since`.',
      },
      collections: { description: 'Names. Missing: all that the identity may read.', oneOf: [names, text] },
      token: { ...text, description: 'Credentials, as in an Authorization header without `Bearer`.' },
      scope_id: { ...text, description: 'Of older clients. Gives no further access.' },
      expected_identity: identity,
      ack: { type: 'boolean', description: 'Asks for a `subscribed` message.' },
      ...{ client_schema: clientSchema, client_id: { ...text, minLength: 1, maxLength: 128 } },
    },
  },
  unsubscribe: {
    about: 'Ends the subscription of a scope. The socket stays open.',
    required: {},
    optional: { scope: ownScope },
  },
  push: {
    about: 'Pushes changes: the body of POST push, with an id. Answered by `pushed` or `push_failed`.',
    required: {
      id: pushId,
      client_id: { type: 'string', minLength: 1, maxLength: 128 },
      changes: { type: 'array', minItems: 1, items: { type: 'object', description: 'As in POST push.' } },
    },
    optional: {
      atomic: { type: 'string', enum: ['batch', 'mutation'] },
      client_schema: clientSchema,
      scope: { ...text, description: 'One of several that the identity may write. Missing: its own.' },
      expected_identity: identity,
    },
  },
  token: { about: 'Fresh credentials of the same scope and actor.', required: { token: text } },
  pong: { about: 'Ignored.', required: {} },
};

const FROM_SERVER: Readonly<Record<string, Described>> = {
  ping: {
    about: 'Comes every `pingIntervalMs`.',
    required: {},
    optional: {
      last_seq: {
        ...version,
        description: 'While subscribed to its own scope: everything up to here was sent.',
      },
      seq: { type: 'integer' },
      server_time: serverTime,
      scopes: {
        type: 'object',
        description:
          'For a client that has named scopes: `last_seq` and `seq` of each subscription, by scope.',
      },
    },
  },
  subscribed: {
    about: 'Confirms a subscription with `ack: true`, before its first entry.',
    required: { collections: names },
    optional: {
      scope: ofScope,
      last_seq: { ...version, description: 'The given `since`.' },
      seq: { type: 'integer', minimum: 0, description: 'The given `since_seq`.' },
      identity: { ...text, description: 'As whom the client is answered: an opaque text.' },
    },
  },
  pushed: {
    about: 'The answer to a push: one result for each change, in the same order.',
    required: {
      id: pushId,
      results: { type: 'array', items: { type: 'object', description: 'As of POST push.' } },
    },
    optional: { server_time: serverTime },
  },
  push_failed: {
    about: 'A push that was refused as a whole. The socket stays open.',
    required: { id: pushId, code, message: text },
    optional: {
      path: { ...text, description: 'Where.' },
      ...bounds,
      retry_after: { type: 'integer', description: 'Seconds, after which to send the same push again.' },
    },
  },
  scope: {
    about: 'For a client that has named scopes: the entries that follow are of this scope.',
    required: { scope: text },
  },
  scope_lost: {
    about: 'The identity may not use the scope any more: nothing more of it follows. The socket stays open.',
    required: { scope: text },
  },
  full_resync_required: {
    about: 'The cursor cannot be gone on from. The socket closes; with `scope`, only the subscription ends.',
    required: { collections: names, reason: { type: 'string', enum: ['too_old', 'unknown_cursor'] } },
    optional: { scope: ofScope },
  },
  error: {
    about: 'Why the socket closes; with `scope`, why that subscription ends.',
    required: { code, message: text },
    optional: { scope: ofScope, path: text, ...bounds },
  },
};

const ENTRY: DocumentPiece = {
  summary: 'An entry of the log, exactly as in pull, in order, each once. It has no `type`.',
  payload: {
    type: 'object',
    required: ['version', 'seq', 'collection', 'doc_id', 'operation', 'data', 'parent_version'],
    properties: {
      version,
      seq: { type: 'integer' },
      collection: text,
      doc_id: { oneOf: [text, { type: 'integer' }] },
      operation: { type: 'string', enum: ['upsert', 'delete'] },
      data: { type: ['object', 'null'] },
      parent_version: { type: ['string', 'null'] },
      hlc: version,
    },
  },
};

/**
 * The socket as an AsyncAPI 3.0 document, for an app's own pages and for generators: every message both ways, the close
 * codes, and which answers belong to a push. Clients ignore fields that they do not know, and so does the server.
 */
export function socketDocument({
  address = '/sync/stream',
  title = 'nest-offline-sync: the socket',
  version: documentVersion = '1.0.0',
  servers,
}: SocketDocumentOptions = {}): DocumentPiece {
  return {
    asyncapi: '3.0.0',
    info: { title, version: documentVersion, description: DESCRIPTION },
    defaultContentType: 'application/json',
    ...(servers ? { servers } : {}),
    channels: {
      stream: {
        address,
        messages: Object.fromEntries(
          Object.keys(MESSAGES).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
        ),
        bindings: {
          ws: { query: { type: 'object', properties: { token: text } }, bindingVersion: '0.1.0' },
        },
      },
    },
    operations: {
      ...Object.fromEntries(Object.keys(FROM_CLIENT).map((name) => [name, received(name)])),
      follow: {
        action: 'send',
        channel: CHANNEL,
        messages: ['entry', 'scope', 'ping', 'subscribed', 'scope_lost', 'full_resync_required', 'error'].map(
          inChannel,
        ),
      },
    },
    components: { messages: MESSAGES },
  };
}

const DESCRIPTION = [
  'Text messages of JSON, both ways. Close codes:',
  ...Object.entries(STREAM_CLOSE).map(([name, close]) => `- ${close} ${name}`),
].join('\n');

const CHANNEL: DocumentPiece = { $ref: '#/channels/stream' };

const MESSAGES: Readonly<Record<string, DocumentPiece>> = {
  ...Object.fromEntries(
    Object.entries({ ...FROM_CLIENT, ...FROM_SERVER }).map(([name, described]) => [
      name,
      message(name, described),
    ]),
  ),
  entry: { name: 'entry', ...ENTRY },
};

function message(name: string, { about, required, optional = {} }: Described): DocumentPiece {
  return {
    name,
    summary: about,
    payload: {
      type: 'object',
      required: ['type', ...Object.keys(required)],
      properties: { type: { const: name }, ...required, ...optional },
    },
  };
}

const PUSH_REPLY: DocumentPiece = { channel: CHANNEL, messages: ['pushed', 'push_failed'].map(inChannel) };

function received(name: string): DocumentPiece {
  return {
    action: 'receive',
    channel: CHANNEL,
    messages: [inChannel(name)],
    ...(name === 'push' ? { reply: PUSH_REPLY } : {}),
  };
}

function inChannel(name: string): DocumentPiece {
  return { $ref: `#/channels/stream/messages/${name}` };
}
