import { ConflictException, Controller, Injectable, Module, Post, Query, UseGuards } from '@nestjs/common';
import { getConnectionToken, MongooseModule } from '@nestjs/mongoose';
import { ClsPluginTransactional, Transactional, TransactionHost } from '@nestjs-cls/transactional';
import { TransactionalAdapterMongoose } from '@nestjs-cls/transactional-adapter-mongoose';
import { ClsModule } from 'nestjs-cls';
import { SyncGuard, SyncModule, SyncService, SyncUser, type SyncIdentity } from 'nest-offline-sync';

@Injectable()
class OrdersService {
  constructor(
    private readonly sync: SyncService,
    private readonly host: TransactionHost<TransactionalAdapterMongoose>,
  ) {}

  /** One transaction with everything else that the app does in it: it reaches devices with the commit, or not at all. */
  @Transactional<TransactionalAdapterMongoose>({ writeConcern: { w: 'majority' } })
  async place(identity: SyncIdentity, fail: boolean): Promise<void> {
    const session = this.host.tx ?? undefined;
    await this.sync.transaction(
      identity,
      (tx) => tx.upsert('tasks', fail ? 'rolled-back' : 'ordered', { title: 'An order' }),
      { session },
    );
    if (fail) throw new ConflictException('Rolled back');
  }
}

@Controller('orders')
@UseGuards(SyncGuard)
class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  @Post()
  place(@SyncUser() identity: SyncIdentity, @Query('fail') fail?: string): Promise<void> {
    return this.orders.place(identity, fail !== undefined);
  }
}

@Module({
  imports: [
    MongooseModule.forRoot(process.env.MONGODB_URI ?? ''),
    ClsModule.forRoot({
      global: true,
      middleware: { mount: true },
      plugins: [
        new ClsPluginTransactional({
          imports: [MongooseModule],
          adapter: new TransactionalAdapterMongoose({ mongooseConnectionToken: getConnectionToken() }),
        }),
      ],
    }),
    SyncModule.forRoot({
      jwt: { secret: process.env.JWT_SECRET },
      scopeIdField: 'business_id',
      collections: [{ name: 'tasks', freeForm: true, ids: 'scoped' }],
    }),
  ],
  controllers: [OrdersController],
  providers: [OrdersService],
})
export class AppModule {}
