import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { WsAdapter } from '@nestjs/platform-ws';
import { AppModule } from './app.module';
import type { Environment } from './config/environment';
import { makeLogger } from './logger';
import { setUpDocs } from './site/docs';
import { serveWebPage } from './site/web-page';
import { SyncErrorsFilter } from './site/sync-errors.filter';

/** The whole server of one process, not yet listening. This is what a main.ts of any Nest app does. */
export async function createServer(environment: Environment): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.register(environment), {
    logger: makeLogger(environment),
    abortOnError: false,
  });
  // Hosts need this line: Nest's own parser refuses bodies over 100 kB, and a push may have 8 MiB.
  app.useBodyParser('json', { limit: environment.SYNC_MAX_PUSH_BYTES ?? '8mb' });
  // And this one, for the live stream. Your own gateways work next to it.
  app.useWebSocketAdapter(new WsAdapter(app));

  app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true }));
  app.useGlobalFilters(new SyncErrorsFilter());
  setUpDocs(app, environment);
  serveWebPage(app, environment);
  return app;
}
