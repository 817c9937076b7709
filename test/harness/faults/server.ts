import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { Body, Controller, HttpCode, Injectable, Module, Post, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectConnection } from '@nestjs/mongoose';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { WsAdapter } from '@nestjs/platform-ws';
import type { Connection, mongo } from 'mongoose';
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

/** Begins the names of scopes that identities are let into and put out of. */
const CLUB = 'club-';

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

interface Member {
  /** Actor and scope. */
  readonly _id: string;
  /** Of the request: one that comes late changes nothing. */
  readonly n: number;
  readonly level: AccessLevel;
}

const keyOf = (actor: string, scope: string): string => JSON.stringify([actor, scope]);
const READ_LIMIT_MS = 3_000;

/** Those of the demo, and clubs: whoever is in one may write there, and can be put out of it at any time. */
@Injectable()
class ClubScopes implements SyncScopes {
  private readonly shop = new ShopScopes();

  constructor(@InjectConnection() private readonly connection: Connection) {}

  async list(identity: SyncIdentity): Promise<string[]> {
    const all = await this.members.find({ level: 'write' }).maxTimeMS(READ_LIMIT_MS).toArray();
    const mine = all.map(({ _id }) => JSON.parse(_id) as [string, string]);
    return [
      ...this.shop.list(identity),
      ...mine.flatMap(([actor, scope]) => (actor === identity.actorId ? [scope] : [])),
    ];
  }

  async access(identity: SyncIdentity, scopeId: string): Promise<AccessLevel> {
    if (!scopeId.startsWith(CLUB)) return this.shop.access(identity, scopeId);
    // A primary that does not know that it has been replaced must not answer.
    const member = await this.members.findOne(
      { _id: keyOf(identity.actorId, scopeId) },
      { readConcern: 'linearizable', maxTimeMS: READ_LIMIT_MS },
    );
    return member?.level ?? 'none';
  }

  kind(scopeId: string): string {
    return this.shop.kind(scopeId);
  }

  private get members(): mongo.Collection<Member> {
    return this.connection.collection<Member>('fault_members');
  }
}

/** Lets an actor into a club, or puts it out. */
@Controller('club-members')
class ClubsController {
  constructor(
    @InjectConnection() private readonly connection: Connection,
    private readonly sync: SyncService,
  ) {}

  @Post()
  @HttpCode(200)
  async set(@Body() { actor, scope, level, n }: Omit<Member, '_id'> & Record<'actor' | 'scope', string>) {
    const members = this.connection.collection<Member>('fault_members');
    await members.updateOne(
      { _id: keyOf(actor, scope), n: { $lt: n } },
      { $set: { n, level } },
      { upsert: true, writeConcern: { w: 'majority' } },
    );
    await this.sync.accessChanged(actor);
    return { level };
  }
}

/** The demo, with a route that the checker writes by. One process; it ends in order on SIGTERM. */
async function main(): Promise<void> {
  const environment = readEnvironment(process.env);

  @Module({
    imports: [AppModule.register(environment, ClubScopes)],
    controllers: [AppWritesController, ClubsController],
  })
  class FaultAppModule {}

  const app = await NestFactory.create<NestExpressApplication>(FaultAppModule, {
    logger: makeLogger(environment),
    abortOnError: false,
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
