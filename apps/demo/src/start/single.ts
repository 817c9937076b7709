import type { NestExpressApplication } from '@nestjs/platform-express';
import type { AddressInfo } from 'node:net';
import { isProduction, type Environment } from '../config/environment';
import { createServer } from '../server';
import { SeedService } from '../shop/seed/seed.service';

/** @param first of several workers: it is the one that puts the example data in */
export async function listen(environment: Environment, first: boolean): Promise<NestExpressApplication> {
  const app = await createServer(environment);
  try {
    await app.init();
    if (first && !isProduction(environment)) await app.get(SeedService).seed();
    await app.listen(environment.PORT);
    return app;
  } catch (error) {
    await app.close();
    throw error;
  }
}

export function portOf(app: NestExpressApplication): number {
  return (app.getHttpServer().address() as AddressInfo).port;
}
