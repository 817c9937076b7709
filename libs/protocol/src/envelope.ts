import { SyncError } from './errors.ts';
import type { QueryObject } from './read-query.ts';
import { scopeParameter } from './scopes.ts';
import { isShortText } from './text.ts';

/** What every request may say, whatever it asks for: in the query, in the body of a push, in a subscribe message. */
export interface EnvelopeFields {
  /** A scope that GET scopes lists. None: the identity's own. */
  readonly scope?: string | null;
  /** `X-Sync-Identity` of an earlier answer: with other credentials the request is refused as `identity_changed`. */
  readonly expected_identity?: string | null;
  /** The version of the client's data model, as the app calls it. */
  readonly client_schema?: string | number | null;
  /** This installation of the client, as its pushes say it: operators see how far each one is. Nothing else depends on it. */
  readonly client_id?: string | null;
}

/** Checked EnvelopeFields; undefined: not said. */
export interface Envelope {
  readonly scope: string | undefined;
  readonly expectedIdentity: string | undefined;
  readonly clientSchema: string | undefined;
  readonly clientId: string | undefined;
}

/** @throws SyncError `malformed_request` */
export function parseEnvelope(fields: QueryObject): Envelope {
  return {
    scope: scopeParameter(fields),
    expectedIdentity: expectedIdentity(fields),
    clientSchema: clientSchema(fields),
    clientId: clientId(fields),
  };
}

/** An empty text is no missing one: a client that has lost what it expects must not send its data to anybody. */
function expectedIdentity(fields: QueryObject): string | undefined {
  const value = fields['expected_identity'];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && value !== '') return value;
  throw new SyncError(
    'malformed_request',
    'expected_identity must be given once, as the text of X-Sync-Identity. Leave it out to be answered as anybody.',
    { path: 'expected_identity' },
  );
}

/** Anything else than a text counts as not said: reads took whatever stood here before it meant something. */
function clientId(fields: QueryObject): string | undefined {
  const value = fields['client_id'];
  return isShortText(value, MAX_CLIENT_BYTES) ? value : undefined;
}

const MAX_CLIENT_BYTES = 128;
const MAX_SCHEMA_BYTES = 128;

/** An integer counts as its decimal text, because a query has only text; a blank counts as missing. */
function clientSchema(fields: QueryObject): string | undefined {
  const value = fields['client_schema'];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (isShortText(value, MAX_SCHEMA_BYTES)) return value;
  throw new SyncError(
    'malformed_request',
    `client_schema must be given once, as a string of 1 to ${MAX_SCHEMA_BYTES} bytes or a safe integer.`,
    { path: 'client_schema' },
  );
}
