import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { describeSyncRoutes, SyncService } from 'nest-offline-sync';
import { Register } from '../../../libs/sync/src/register/register';
import { testDatabase } from '../../support/database';
import { identity, note, startOperatorApp, type Body, type OperatorApp } from '../../support/operator-app';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly nullable?: boolean;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
}
interface Described {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}
interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { schema: Schema }>> }>
  >;
}

let running: OperatorApp;
let document: Described;

beforeAll(async () => {
  running = await startOperatorApp(testDatabase(__filename).uri, { admin: { refusedBodies: true } });
  const made = SwaggerModule.createDocument(running.app, new DocumentBuilder().addBearerAuth().build());
  document = describeSyncRoutes(running.app, made) as unknown as Described;
  const sync = running.app.get(SyncService);
  await sync.push(identity('cafe'), { client_id: 'a', changes: [note('n', {})] });
  await sync.push(identity('cafe'), {
    client_id: 'a',
    changes: [note('n', { $a: 1 }), note('n', { $a: 1 })],
  });
  await sync.pull(identity('cafe'), { client_id: 'a' });
  await running.app.get(Register, { strict: false }).flush();
});
afterAll(() => running.close());

/** Where a value is not as its schema says: also fields that the schema does not name. */
function faults(value: unknown, schema: Schema, at: string): string[] {
  if (schema.$ref !== undefined)
    return faults(value, document.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {}, at);
  if (value === null) return schema.nullable ? [] : [`${at} is null`];
  if (schema.oneOf) return schema.oneOf.some((one) => faults(value, one, at).length === 0) ? [] : [at];
  if (Array.isArray(value)) return value.flatMap((one, n) => faults(one, schema.items ?? {}, `${at}[${n}]`));
  if (typeof value !== 'object') {
    const type = typeof value === 'number' ? ['integer', 'number'] : [typeof value];
    return type.includes(schema.type ?? '') ? [] : [`${at} is ${typeof value}`];
  }
  if (!schema.properties) return schema.type === 'object' ? [] : [`${at} is an object`];
  const { properties, required = [] } = schema;
  return [
    ...required.filter((name) => !(name in value)).map((name) => `${at}.${name} is missing`),
    ...Object.entries(value).flatMap(([name, part]) =>
      properties[name] ? faults(part, properties[name], `${at}.${name}`) : [`${at}.${name} is not described`],
    ),
  ];
}

describe("the routes of an operator in an app's own document", () => {
  it('are described, each once', () => {
    const described = Object.entries(document.paths).filter(([path]) => path.startsWith('/admin/sync/'));
    const ids = described.flatMap(([, of]) => Object.values(of).map(({ operationId }) => operationId));
    expect(ids).toHaveLength(7);
    expect(new Set(ids).size).toBe(7);
    for (const id of ids) expect(id).toMatch(/^syncAdmin[A-Z]/);
  });

  it.each<[string, string, string]>([
    ['get', 'scopes', 'scopes'],
    ['get', 'scopes/{scope}', 'scopes/cafe'],
    ['get', 'devices', 'devices'],
    ['get', 'refused', 'refused'],
    ['get', 'status', 'status'],
    ['post', 'verify', 'verify'],
  ])('%s %s answers as it is described', async (method, route, path) => {
    const { status, body } = await (method === 'get' ? running.get(path) : running.post(path));
    expect(status).toBe(200);
    if ('rows' in body) expect((body['rows'] as Body[]).length).toBeGreaterThan(0);
    const operation = document.paths[`/admin/sync/${route}`]?.[method];
    const schema = operation?.responses['200']?.content['application/json']?.schema;
    expect(faults(body, schema ?? {}, route)).toEqual([]);
  });
});
