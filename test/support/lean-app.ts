import { Injectable, Logger, Module, type CanActivate, type ExecutionContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MongooseModule } from '@nestjs/mongoose';
import { SyncModule, SyncService, type SyncOptions } from 'nest-offline-sync';

/**
 * A process for tests of an app that lacks packages: starts with the options that its argument names, pushes one
 * change, and prints `{ status }`, or the error's `{ name, code, path, message }`, as one JSON line.
 */
@Injectable()
class OwnGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    context.switchToHttp().getRequest<{ user?: unknown }>().user = { user_id: 'u1' };
    return true;
  }
}

class Note {}

const guarded: SyncOptions = {
  guard: OwnGuard,
  trimIntervalMs: 0,
  collections: [{ name: 'notes', freeForm: true, ids: 'scoped' }],
};
const CASES: Readonly<Record<string, SyncOptions>> = {
  guard: guarded,
  jwt: { ...guarded, guard: undefined, jwt: { secret: 'a secret of at least thirty-two bytes' } },
  jwks: { ...guarded, guard: undefined, jwt: { jwksUri: 'https://id.example/keys' } },
  dto: { ...guarded, collections: [{ name: 'notes', freeForm: true, ids: 'scoped', dto: Note }] },
  metrics: { ...guarded, metricsEnabled: true },
};

async function main(): Promise<object> {
  Logger.overrideLogger(false);
  @Module({
    imports: [
      MongooseModule.forRoot(process.env.TEST_MONGODB_URI ?? ''),
      SyncModule.forRoot({ stream: false, ...CASES[process.argv[2] ?? ''] }),
    ],
  })
  class LeanModule {}
  const app = await NestFactory.create(LeanModule, { logger: false, abortOnError: false });
  await app.init();
  const { results } = await app.get(SyncService).push(
    { scopeId: 's', actorId: 'a' },
    {
      client_id: 'c',
      changes: [{ collection: 'notes', operation: 'upsert', doc_id: 'n', data: {} }],
    },
  );
  await app.close();
  return { status: results[0]?.status };
}

main().then(
  (done) => process.stdout.write(JSON.stringify(done)),
  (error: unknown) => {
    const { name, code, path, message } = error as Record<string, unknown>;
    process.stdout.write(JSON.stringify({ name, code, path, message }));
    process.exit();
  },
);
