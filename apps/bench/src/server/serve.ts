import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { WsAdapter } from '@nestjs/platform-ws';
import { AppModule } from './app.module';
import type { ServerEnvironment } from './environment';

/** One process that serves; on a free port, or on the one that the workers of a cluster share. */
export async function serve(environment: ServerEnvironment): Promise<NestExpressApplication> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.register(environment), {
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  app.useBodyParser('json', { limit: '8mb' });
  if (environment.pages !== undefined) app.useStaticAssets(environment.pages);
  app.useWebSocketAdapter(new WsAdapter(app));
  await app.listen(0, '127.0.0.1');
  return app;
}

export function portOf(app: NestExpressApplication): number {
  return (app.getHttpServer().address() as AddressInfo).port;
}
