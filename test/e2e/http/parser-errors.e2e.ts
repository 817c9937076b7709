import { gzipSync } from 'node:zlib';
import {
  Body,
  Catch,
  Controller,
  HttpException,
  Module,
  Post,
  type ArgumentsHost,
  type ExceptionFilter,
  type INestApplication,
} from '@nestjs/common';
import { HttpAdapterHost, NestFactory } from '@nestjs/core';
import { MongooseModule } from '@nestjs/mongoose';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { SyncModule } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { testToken } from '../../support/jwt';
import { TEST_SECRET } from '../../support/sync-app';

const LIMIT = 5_000;
const { uri } = testDatabase(__filename);
const token = testToken({ payload: { user_id: 'ann' }, key: TEST_SECRET });

/** What the app does with every error that reaches it. */
@Catch()
class AppFilter implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(error: unknown, context: ArgumentsHost): void {
    const status = error instanceof HttpException ? error.getStatus() : 500;
    this.host.httpAdapter.reply(context.switchToHttp().getResponse(), { app: status }, 418);
  }
}

@Controller('orders')
class OrdersController {
  @Post()
  place(@Body() body: unknown): unknown {
    return body;
  }
}

@Module({
  imports: [
    MongooseModule.forRoot(uri),
    SyncModule.forRoot({
      prefix: 'devices/sync.v1',
      stream: false,
      jwt: { secret: TEST_SECRET },
      collections: [{ name: 'notes', freeForm: true, ids: 'scoped' }],
      limits: { maxPushBytes: 1_500, maxChanges: 3 },
      trimIntervalMs: 0,
      metricsEnabled: false,
    }),
  ],
  controllers: [OrdersController],
})
class AppModule {}

async function express(): Promise<INestApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule, {
    logger: false,
    bodyParser: false,
    cors: true,
  });
  app.useBodyParser('json', { limit: LIMIT });
  return app;
}

function fastify(): Promise<INestApplication> {
  return NestFactory.create(AppModule, new FastifyAdapter({ bodyLimit: LIMIT }), { logger: false });
}

describe.each([
  ['Express', express],
  ['Fastify', fastify],
])('a body that the parser of %s refuses', (name, create) => {
  let app: INestApplication;
  let url: string;
  beforeAll(async () => {
    app = await create();
    app.setGlobalPrefix('api');
    app.useGlobalFilters(new AppFilter(app.get(HttpAdapterHost)));
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  });
  afterAll(() => app.close());

  const send = async (
    path: string,
    body: string | Buffer,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: unknown; headers: Headers }> => {
    const response = await fetch(`${url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      body: new Uint8Array(Buffer.from(body)),
    });
    return { status: response.status, body: await response.json(), headers: response.headers };
  };
  const PUSH = '/api/devices/sync.v1/push';
  const change = (id: string, text: string): object => ({
    collection: 'notes',
    operation: 'upsert',
    doc_id: id,
    data: { text },
  });
  const push = (...changes: object[]): string => JSON.stringify({ client_id: 'a', changes });

  it('has the shape of every error, with the limit in it', async () => {
    const answer = await send(PUSH, push(change('n', 'x'.repeat(LIMIT))));
    expect(answer).toMatchObject({
      status: 413,
      body: { statusCode: 413, code: 'payload_too_large', limit: LIMIT },
    });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('access-control-expose-headers')).toContain('Retry-After');
    // A query, a slash at the end: still the route.
    expect(await send(`${PUSH}?a=b`, push(change('n', 'x'.repeat(LIMIT))))).toMatchObject({
      body: { limit: LIMIT },
    });
  });

  it('as the limits of the engine have', async () => {
    expect(await send(PUSH, push(change('n', 'x'.repeat(2_000))))).toMatchObject({
      status: 413,
      body: { code: 'payload_too_large', limit: 1_500 },
    });
    expect(await send(PUSH, push(...Array(4).fill(change('n', 'x'))))).toMatchObject({
      status: 413,
      body: { code: 'too_many_changes', limit: 3 },
    });
    expect(await send(PUSH, push(change(name, 'x')))).toMatchObject({
      status: 200,
      body: { results: [{ status: 'accepted' }] },
    });
  });

  it.each<[string, string | Buffer, Record<string, string>, number[]]>([
    ['half a JSON text', '{"client_id":', {}, [400]],
    ['nothing at all', '', {}, [400]],
    ['a broken compression', 'no gzip', { 'content-encoding': 'gzip' }, [400, 415]],
    ['a compressed half', gzipSync('{"a'), { 'content-encoding': 'gzip' }, [400, 415]],
    ['an unknown charset', '{}', { 'content-type': 'application/json; charset=utf-99' }, [400, 415]],
  ])('is malformed_request for %s', async (_what, body, headers, statuses) => {
    const answer = await send(PUSH, body, headers);
    expect(statuses).toContain(answer.status);
    expect(answer.body).toMatchObject({
      statusCode: answer.status,
      code: 'malformed_request',
      message: expect.any(String) as unknown,
    });
  });

  it("leaves the app's own routes to the app", async () => {
    const expected = name === 'Express' ? { app: 413 } : { app: expect.any(Number) as unknown };
    expect(await send('/api/orders', `"${'x'.repeat(LIMIT)}"`)).toMatchObject({
      status: 418,
      body: expected,
    });
    expect(await send('/api/orders', '{"a')).toMatchObject({ status: 418 });
    expect(await send('/api/nowhere/devices', '{"a')).toMatchObject({ status: 418 });
  });
});
