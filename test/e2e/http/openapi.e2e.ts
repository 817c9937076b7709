import { MongooseModule } from '@nestjs/mongoose';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { describeSyncRoutes, SyncModule } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { scenarios } from '../../support/wire-scenario';
import { startApp, TEST_SECRET, type RunningApp } from '../../support/sync-app';

interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly nullable?: boolean;
  readonly enum?: readonly unknown[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
}
interface Operation {
  readonly operationId: string;
  readonly security: readonly object[];
  readonly parameters?: readonly { readonly name: string }[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content>>;
}
interface Content {
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

describe("the sync routes in an app's own document", () => {
  let app: RunningApp;
  let document: {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
    readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
  };

  beforeAll(async () => {
    app = await startApp(
      {
        imports: [
          MongooseModule.forRoot(testDatabase(__filename).uri),
          SyncModule.forRoot({
            jwt: { secret: TEST_SECRET },
            stream: false,
            prefix: 'sync',
            collections: [{ name: 'notes', freeForm: true, ids: 'scoped' }],
            trimIntervalMs: 0,
            metricsEnabled: false,
          }),
        ],
      },
      (nest) => {
        nest.setGlobalPrefix('api/v1');
        const config = new DocumentBuilder().addBearerAuth({ type: 'http' }, 'token').build();
        SwaggerModule.setup('docs', nest, () =>
          describeSyncRoutes(nest, SwaggerModule.createDocument(nest, config)),
        );
      },
    );
    document = (await (await fetch(`${app.url}/docs-json`)).json()) as typeof document;
  });
  afterAll(() => app.close());

  const operation = (send: string): Operation => {
    const [method = '', path = ''] = send.split(' ');
    const found = document.paths[`/api/v1${path}`]?.[method.toLowerCase()];
    if (!found) throw new Error(`${send} is not described`);
    return found;
  };

  it('stand behind the global prefix, once each, with an operationId and the security of the document', () => {
    expect(Object.keys(document.paths).sort()).toEqual(
      ['digest', 'documents', 'full', 'info', 'pull', 'push', 'scopes'].map(
        (route) => `/api/v1/sync/${route}`,
      ),
    );
    const all = Object.values(document.paths).flatMap((path) => Object.values(path));
    expect(new Set(all.map(({ operationId }) => operationId)).size).toBe(7);
    for (const { security } of all) expect(security).toEqual([{ token: [] }]);
    expect(operation('GET /sync/pull').parameters?.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['since', 'collections', 'limit', 'scope', 'client_schema']),
    );
  });

  it('name what every read takes', () => {
    const takes = (route: string): (string | undefined)[] =>
      operation(`GET /sync/${route}`).parameters?.map(({ name }) => name) ?? [];
    for (const route of ['pull', 'full', 'documents', 'digest', 'info'])
      expect(takes(route)).toEqual(expect.arrayContaining(['scope', 'client_schema', 'expected_identity']));
    expect(takes('full')).toEqual(expect.arrayContaining(['tombstones', 'count']));
  });

  it('lead from every reference to a schema', () => {
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)];
    expect(references.length).toBeGreaterThan(20);
    for (const [, name = ''] of references) expect(Object.keys(document.components.schemas)).toContain(name);
  });

  it.each(scenarios())('are described as the scenario $name shows them', ({ scenario }) => {
    for (const step of scenario.steps) {
      if (!('send' in step)) continue;
      const described = operation(step.send);
      const answer = described.responses[String(step.status)];
      expect([step.send, step.status, answer === undefined]).toEqual([step.send, step.status, false]);
      const schema = answer?.content?.['application/json']?.schema;
      if (schema) expect([step.send, ...problems(step.answer, schema)]).toEqual([step.send]);
      const body = described.requestBody?.content?.['application/json']?.schema;
      if (body && step.status === 200)
        expect(problems(step.body, body).filter((one) => !/operation|doc_id/.test(one))).toEqual([]);
      for (const name of Object.keys(step.query ?? {}))
        expect(described.parameters?.map((parameter) => parameter.name)).toContain(name);
    }
  });

  it('and a wrong answer would be noticed', () => {
    const schema: Schema = { $ref: '#/components/schemas/SyncError' };
    expect(problems({ statusCode: 400, code: 'busy', message: 'm' }, schema)).toEqual([]);
    expect(problems({ statusCode: '400', code: 'what' }, schema)).toHaveLength(3);
  });

  /** Where a value is not as its schema says. */
  function problems(value: unknown, schema: Schema, at = ''): string[] {
    const { $ref, oneOf, nullable } = schema;
    if ($ref) return problems(value, document.components.schemas[$ref.split('/').at(-1) ?? ''] ?? {}, at);
    if (value === null && nullable) return [];
    if (oneOf) return oneOf.some((one) => problems(value, one, at).length === 0) ? [] : [`${at} fits none`];
    if (schema.enum && !schema.enum.includes(value)) return [`${at} is none of the enum`];
    if (schema.type !== undefined && !isOf(value, schema.type)) return [`${at} is no ${schema.type}`];
    if (Array.isArray(value))
      return value.flatMap((item, index) => problems(item, schema.items ?? {}, `${at}[${String(index)}]`));
    if (typeof value !== 'object' || value === null) return [];
    const fields = value as Record<string, unknown>;
    return [
      ...(schema.required ?? [])
        .filter((name) => !(name in fields))
        .map((name) => `${at}.${name} is missing`),
      ...Object.entries(schema.properties ?? {}).flatMap(([name, one]) =>
        name in fields ? problems(fields[name], one, `${at}.${name}`) : [],
      ),
    ];
  }
});

function isOf(value: unknown, type: string): boolean {
  if (type === 'array') return Array.isArray(value);
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}
