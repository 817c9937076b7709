import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import {
  Body,
  Controller,
  HttpCode,
  Inject,
  Module,
  Post,
  UseGuards,
  type DynamicModule,
  type INestApplication,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MongooseModule } from '@nestjs/mongoose';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { WsAdapter } from '@nestjs/platform-ws';
import {
  RECOMMENDED_DRIVER_TIMES,
  SyncGuard,
  SyncModule,
  SyncService,
  SyncUser,
  type SyncIdentity,
  type SyncOptions,
} from 'nest-offline-sync';
import { ClubsController, ClubScopes } from '../../support/club-scopes';
import { SECRET, type ServerTask } from './server-task';

/** A route of the app: what it gets becomes a document, written through SyncService. */
@Controller('app')
class AppController {
  constructor(@Inject(SyncService) private readonly sync: SyncService) {}

  @Post('writes')
  @HttpCode(200)
  @UseGuards(SyncGuard)
  async write(@SyncUser() identity: SyncIdentity, @Body() data: object): Promise<object> {
    return this.sync.transaction(identity, (tx) => tx.upsert('notes', `app-${randomUUID()}`, data));
  }
}

/** `notes` with ids of each scope's own, `cards` with ids that all scopes share. Both take any JSON. */
@Module({})
class ServerModule {
  static register({ uri, appName, options }: ServerTask): DynamicModule {
    return {
      module: ServerModule,
      imports: [
        MongooseModule.forRoot(uri, { appName, ...RECOMMENDED_DRIVER_TIMES }),
        SyncModule.forRoot({
          jwt: { secret: SECRET },
          actorIdField: 'user_id',
          scopeIdField: 'business_id',
          metricsEnabled: false,
          trimIntervalMs: 0,
          collections: [
            { name: 'notes', freeForm: true, ids: 'scoped' },
            { name: 'cards', freeForm: true, ids: 'global', conflict: 'merge' },
          ],
          scopes: ClubScopes,
          ...(options as Partial<SyncOptions>),
        }),
      ],
      controllers: [AppController, ClubsController],
    };
  }
}

async function main(): Promise<void> {
  const task = JSON.parse(process.env['SERVER_TASK'] ?? '') as ServerTask;
  shiftClock(task.clockMs);
  // Ends with the process that started it, however that ends.
  process.once('disconnect', () => process.exit());
  const app: INestApplication & NestExpressApplication = await NestFactory.create(
    ServerModule.register(task),
    {
      logger: false,
      abortOnError: false,
    },
  );
  app.useBodyParser('json', { limit: '8mb' });
  app.useWebSocketAdapter(new WsAdapter(app));
  await app.listen(0, '127.0.0.1');
  process.send?.({ url: await app.getUrl() });
}

/** This process's wall clock is wrong. Timers do not use it. */
function shiftClock(byMs: number): void {
  const now = Date.now.bind(Date);
  if (byMs !== 0) Date.now = () => now() + byMs;
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
