import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { SyncModule } from 'nest-offline-sync';
import { InventoryModule } from '../inventory/inventory.module';
import { OrderDto } from './order.dto';
import { Order, OrderSchema } from './order.schema';
import { OrdersController } from './orders.controller';
import { OrdersService } from './orders.service';

/**
 * Written by the server (see orders.service.ts), read by devices, and moved on by them: packed, sent, cancelled.
 *
 * - `reject-stale`: a state only makes sense for the order that somebody looked at. A device that did not know the newest
 *   version is rejected with `conflict_stale` and gets that version back, to decide again.
 * - `ids: 'global'` with UUIDs: nobody can guess an id, so nobody can take one in advance.
 */
@Module({
  imports: [
    InventoryModule,
    MongooseModule.forFeature([{ name: Order.name, schema: OrderSchema }]),
    SyncModule.forFeature([
      { name: 'orders', dto: OrderDto, ids: 'global', conflict: 'reject-stale', scopes: ['business'] },
    ]),
  ],
  controllers: [OrdersController],
  providers: [OrdersService],
})
export class OrdersModule {}
