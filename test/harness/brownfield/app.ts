import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MongooseModule } from '@nestjs/mongoose';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { WsAdapter } from '@nestjs/platform-ws';
import { SyncModule, type AccessLevel, type SyncScopes } from 'nest-offline-sync';
import { COLLECTION, customerSchema, SCOPE_FIELD } from './customers';

/** Everybody works in all businesses: they are what the devices of this check are about. */
@Injectable()
class AllBusinesses implements SyncScopes {
  list(): string[] {
    return [];
  }

  access(): AccessLevel {
    return 'write';
  }
}

const { MONGODB_URI = '', JWT_SECRET = '', PORT = '0' } = process.env;

/** The team's schema, and what devices may add to it. */
const schema = customerSchema().add({ note: String, device_visits: Number } as never);

@Module({
  imports: [
    MongooseModule.forRoot(MONGODB_URI),
    MongooseModule.forFeature([{ name: 'Customer', schema }]),
    SyncModule.forRoot({
      jwt: { secret: JWT_SECRET },
      actorIdField: 'user_id',
      scopeIdField: SCOPE_FIELD,
      scopes: AllBusinesses,
      metricsEnabled: false,
      pingIntervalMs: 2_000,
      collections: [
        // What a service has deleted stays deleted, so that its ledger tells.
        { name: COLLECTION, capture: true, scopeField: SCOPE_FIELD, deleteUpdatePolicy: 'reject_update' },
      ],
    }),
  ],
})
class BrownfieldModule {}

/** The new app: the team's collection, captured. One process; it ends in order on SIGTERM. */
async function main(): Promise<void> {
  const app = await NestFactory.create<NestExpressApplication>(BrownfieldModule, {
    logger: ['warn', 'error', 'fatal'],
    abortOnError: false,
  });
  app.useBodyParser('json', { limit: '8mb' });
  app.useWebSocketAdapter(new WsAdapter(app));
  process.once('SIGTERM', () => void app.close().then(() => process.exit(0)));
  await app.listen(Number(PORT), '127.0.0.1');
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
