import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { Body, Controller, Injectable, Module, Post, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectConnection } from '@nestjs/mongoose';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { WsAdapter } from '@nestjs/platform-ws';
import type { Connection } from 'mongoose';
import {
  SyncGuard,
  SyncService,
  SyncUser,
  type AccessLevel,
  type SyncIdentity,
  type SyncScopes,
} from 'nest-offline-sync';
import { AppModule } from '../../../apps/demo/src/app.module';
import { readEnvironment } from '../../../apps/demo/src/config/environment';
import { makeLogger } from '../../../apps/demo/src/logger';
import { ShopScopes } from '../../../apps/demo/src/shop/scopes/shop-scopes';
import { SyncErrorsFilter } from '../../../apps/demo/src/site/sync-errors.filter';
import { ClubsController, ClubScopes, isClub } from '../../support/club-scopes';

/** A write of the app's own, through SyncService: it has the same invariants as a push. */
@Controller('app-writes')
@UseGuards(SyncGuard)
class AppWritesController {
  constructor(private readonly sync: SyncService) {}

  @Post()
  async write(@SyncUser() identity: SyncIdentity, @Body() data: Record<string, unknown>): Promise<object> {
    const id = `app-${randomUUID()}`;
    await this.sync.transaction(identity, (tx) => tx.upsert('notes', id, data));
    return { id };
  }
}

/** Those of the demo, and clubs. */
@Injectable()
class ShopAndClubScopes implements SyncScopes {
  private readonly shop = new ShopScopes();
  private readonly clubs: ClubScopes;

  constructor(@InjectConnection() connection: Connection) {
    this.clubs = new ClubScopes(connection);
  }

  async list(identity: SyncIdentity): Promise<string[]> {
    return [...this.shop.list(identity), ...(await this.clubs.list(identity))];
  }

  access(identity: SyncIdentity, scopeId: string): AccessLevel | Promise<AccessLevel> {
    return isClub(scopeId) ? this.clubs.access(identity, scopeId) : this.shop.access(identity, scopeId);
  }

  kind(scopeId: string): string {
    return this.shop.kind(scopeId);
  }
}

/** The demo, with a route that the checker writes by. One process; it ends in order on SIGTERM. */
async function main(): Promise<void> {
  const environment = readEnvironment(process.env);

  @Module({
    imports: [AppModule.register(environment, ShopAndClubScopes)],
    controllers: [AppWritesController, ClubsController],
  })
  class FaultAppModule {}

  const app = await NestFactory.create<NestExpressApplication>(FaultAppModule, {
    logger: makeLogger(environment),
    abortOnError: false,
    // Pages of another origin are among its devices.
    cors: true,
  });
  app.useBodyParser('json', { limit: '8mb' });
  app.useWebSocketAdapter(new WsAdapter(app));
  app.useGlobalFilters(new SyncErrorsFilter());
  process.once('SIGTERM', () => {
    void app.close().then(() => process.exit(0));
  });
  await app.listen(environment.PORT, '127.0.0.1');
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
