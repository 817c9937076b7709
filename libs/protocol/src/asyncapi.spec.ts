import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fixtures from '../../../test/fixtures/wire/socket.json';
import { socketDocument } from './asyncapi.ts';
import { SyncError, type ErrorCode } from './errors.ts';
import type { ResyncReason } from './pull.ts';
import {
  errorText,
  fullResyncText,
  parseClientMessage,
  pingText,
  pushedText,
  pushFailedText,
  scopeLostText,
  scopeText,
  STREAM_CLOSE,
  subscribedText,
} from './stream.ts';
import type { PushResponse } from './push.ts';

interface Schema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

const document = socketDocument() as unknown as {
  readonly info: { readonly description: string };
  readonly channels: { readonly stream: { readonly address: string; readonly messages: object } };
  readonly operations: Readonly<Record<string, object>>;
  readonly components: { readonly messages: Readonly<Record<string, { readonly payload: Schema }>> };
};
const { messages } = document.components;

/** Whether a value is of a schema, as far as the document uses JSON Schema. */
function fits(value: unknown, schema: Schema): boolean {
  const { oneOf, properties = {}, required = [] } = schema;
  if ('const' in schema && schema.const !== value) return false;
  if (schema.enum && !schema.enum.includes(value)) return false;
  if (oneOf) return oneOf.filter((one) => fits(value, one)).length === 1;
  const types = [schema.type ?? []].flat();
  if (types.length > 0 && !types.some((type) => isOf(value, type))) return false;
  if (Array.isArray(value)) return value.every((item) => fits(item, schema.items ?? {}));
  if (typeof value !== 'object' || value === null) return true;
  const fields = value as Record<string, unknown>;
  return (
    required.every((name) => name in fields) &&
    // What is described elsewhere has no properties here.
    Object.entries(fields).every(
      ([name, field]) => !schema.properties || (name in properties && fits(field, properties[name] ?? {})),
    )
  );
}

function isOf(value: unknown, type: string): boolean {
  if (type === 'array') return Array.isArray(value);
  if (type === 'null') return value === null;
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}

describe('the document of the socket', () => {
  it('has every message that the protocol has, and no other', () => {
    const source = readFileSync(join(__dirname, 'stream.ts'), 'utf8');
    const types = new Set([...source.matchAll(/type: '(\w+)'/g)].map(([, type = '']) => type));
    expect(types.size).toBeGreaterThan(9);
    expect(Object.keys(messages).sort()).toEqual([...types, 'entry'].sort());
  });

  it('leads from every reference to what it means', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(20);
    for (const [, path = ''] of references) {
      const found = path
        .split('/')
        .reduce<unknown>((part, key) => (part as Record<string, unknown>)[key], document);
      expect([path, typeof found]).toEqual([path, 'object']);
    }
  });

  it('lists the close codes, and takes an address and a title', () => {
    for (const code of Object.values(STREAM_CLOSE)) expect(document.info.description).toContain(String(code));
    const own = socketDocument({ address: '/live', title: 'Shop' });
    expect(own).toMatchObject({ info: { title: 'Shop' }, channels: { stream: { address: '/live' } } });
  });
});

describe('the fixtures of the socket', () => {
  const ofType = (some: readonly { readonly type: string }[]): Set<string> =>
    new Set(some.map(({ type }) => type));

  it('hold every message', () => {
    const all = new Set([...ofType(fixtures.client), ...ofType(fixtures.server), 'entry']);
    expect([...all].sort()).toEqual(Object.keys(messages).sort());
  });

  it.each(fixtures.client)('of a client are read, and described: %j', (message) => {
    expect(parseClientMessage(JSON.stringify(message))).toMatchObject({ type: message.type });
    expect(fits(message, messages[message.type]?.payload ?? { const: 'nothing' })).toBe(true);
  });

  it.each(fixtures.server)('of the server are what it writes, and described: %j', (message) => {
    expect(written(message)).toBe(JSON.stringify(message));
    expect(fits(message, messages[message.type]?.payload ?? { const: 'nothing' })).toBe(true);
  });

  it('would be found out if they were not', () => {
    const { payload = {} } = messages['push_failed'] ?? {};
    expect(fits({ type: 'push_failed', id: 1, code: 'busy', message: 'm' }, payload)).toBe(true);
    for (const wrong of [{ id: 1.5 }, { id: undefined }, { code: 'what' }, { retry_after: '2' }, { more: 1 }])
      expect(fits({ type: 'push_failed', id: 1, code: 'busy', message: 'm', ...wrong }, payload)).toBe(false);
  });
});

interface ServerFixture {
  readonly type: string;
  readonly id?: string | number;
  readonly scope?: string;
  readonly scopes?: Readonly<Record<string, { readonly last_seq: string; readonly seq: number } | undefined>>;
  readonly last_seq?: string;
  readonly seq?: number;
  readonly collections?: readonly string[];
  readonly reason?: string;
  readonly identity?: string;
  readonly code?: string;
  readonly message?: string;
  readonly path?: string;
  readonly limit?: number;
  readonly minimum?: string | number;
  readonly server_time?: string;
  readonly retry_after?: number;
  readonly results?: unknown;
}

/** What the server's own functions make of the same facts. */
function written(fixture: ServerFixture): string {
  const {
    id = 0,
    scope,
    scopes,
    collections = [],
    last_seq,
    seq,
    code,
    message = '',
    path,
    limit,
    minimum,
    server_time,
    retry_after,
    results,
    identity,
  } = fixture;
  const error = new SyncError(code as ErrorCode, message, { path, limit, minimum });
  switch (fixture.type) {
    case 'ping':
      return pingText(
        last_seq === undefined ? undefined : { version: last_seq, seq: seq ?? 0 },
        scopes &&
          Object.entries(scopes).map(([name, at]) => [
            name,
            { version: at?.last_seq ?? '', seq: at?.seq ?? 0 },
          ]),
        server_time,
      );
    case 'scope':
      return scopeText(scope ?? '');
    case 'scope_lost':
      return scopeLostText(scope ?? '');
    case 'subscribed':
      return subscribedText(collections, last_seq, scope, identity);
    case 'pushed':
      return pushedText(id, {
        results,
        ...(server_time === undefined ? {} : { server_time }),
      } as PushResponse);
    case 'push_failed':
      return pushFailedText(id, error, retry_after);
    case 'full_resync_required':
      return fullResyncText(collections, fixture.reason as ResyncReason, scope);
    default:
      return errorText(error, scope);
  }
}
