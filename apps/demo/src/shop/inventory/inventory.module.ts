import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { SyncModule } from 'nest-offline-sync';
import { InventoryItemDto } from './inventory-item.dto';
import { InventoryItem, InventoryItemSchema } from './inventory-item.schema';
import { StockResolver } from './stock-resolver.service';

/**
 * Stock is a sum of differences, which no general strategy can know: the app's own resolver, from DI, adds
 * them up. It replaces `conflict`.
 */
@Module({
  imports: [
    MongooseModule.forFeature([{ name: InventoryItem.name, schema: InventoryItemSchema }]),
    SyncModule.forFeature([
      { name: 'inventory_items', dto: InventoryItemDto, resolver: StockResolver, scopes: ['business'] },
    ]),
  ],
  providers: [StockResolver],
  exports: [MongooseModule],
})
export class InventoryModule {}
