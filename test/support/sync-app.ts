import {
  Controller,
  Get,
  Module,
  UseFilters,
  UseGuards,
  type INestApplication,
  type ModuleMetadata,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MongooseModule } from '@nestjs/mongoose';
import mongoose from 'mongoose';
import { SyncErrorFilter } from '../../libs/sync/src/http/sync-error.filter';
import type { SyncIdentity } from '../../libs/sync/src/identity/identity';
import { SyncGuard, SyncUser } from '../../libs/sync/src/identity/sync.guard';
import { SyncModule } from '../../libs/sync/src/sync.module';
import type { SyncModuleExtras, SyncOptions } from '../../libs/sync/src/options/sync.options';

export const TEST_SECRET = 'a-secret-for-tests-of-32-bytes-or-more';

/** The app's own route behind SyncGuard: returns what it knows about the caller. */
@Controller('who')
@UseGuards(SyncGuard)
@UseFilters(SyncErrorFilter)
export class WhoController {
  @Get()
  who(@SyncUser() { scopeId, actorId, expiresAt }: SyncIdentity): object {
    return { scopeId, actorId, ...(expiresAt ? { expiresAt: expiresAt.toISOString() } : {}) };
  }
}

export interface RunningApp {
  readonly app: INestApplication;
  readonly url: string;
  close(): Promise<void>;
}

/** Starts an app of these modules on a free port, quiet. What keeps it from starting is thrown. */
export async function startApp(
  metadata: ModuleMetadata,
  prepare: (app: INestApplication) => void = () => undefined,
): Promise<RunningApp> {
  @Module(metadata)
  class TestAppModule {}
  const before = new Set(mongoose.connections);
  let app: INestApplication | undefined;
  try {
    app = await NestFactory.create(TestAppModule, { logger: false, abortOnError: false });
    prepare(app);
    await app.listen(0, '127.0.0.1');
    const running = app;
    return { app, url: await app.getUrl(), close: () => running.close() };
  } catch (error) {
    await app?.close();
    // An app that could not be made leaves its connections behind; a process would end here.
    for (const connection of mongoose.connections) if (!before.has(connection)) await connection.close();
    throw error;
  }
}

/** An app with SyncModule and {@link WhoController} on one database, without extra sync routes. */
export function startWhoApp(
  uri: string,
  options: SyncOptions & SyncModuleExtras,
  metadata: ModuleMetadata = {},
  prepare?: (app: INestApplication) => void,
): Promise<RunningApp> {
  return startApp(
    {
      ...metadata,
      imports: [
        MongooseModule.forRoot(uri),
        SyncModule.forRoot({ http: false, stream: false, trimIntervalMs: 0, ...options }),
        ...(metadata.imports ?? []),
      ],
      controllers: [WhoController, ...(metadata.controllers ?? [])],
    },
    prepare,
  );
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

export async function ask(url: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const response = await fetch(`${url}${path}`, { headers });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** Asks {@link WhoController} with a bearer token. */
export function who(url: string, token?: string): Promise<Answer> {
  return ask(url, '/who', token === undefined ? {} : { authorization: `Bearer ${token}` });
}
