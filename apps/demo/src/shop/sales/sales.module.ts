import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { SyncModule, type CollectionAction, type SyncIdentity } from 'nest-offline-sync';
import { SaleDto } from './sale.dto';
import { Sale, SaleSchema } from './sale.schema';

/**
 * What a till has rung up. Each sale is written by one till, and corrected only by that one.
 *
 * - `client-wins`: the till knows best, whichever version it knew.
 * - The authorizer: a sale is in the books, so no client can delete one (`forbidden`).
 */
@Module({
  imports: [
    MongooseModule.forFeature([{ name: Sale.name, schema: SaleSchema }]),
    SyncModule.forFeature([
      {
        name: 'sales',
        dto: SaleDto,
        conflict: 'client-wins',
        authorizer: neverDelete,
        scopes: ['business'],
      },
    ]),
  ],
})
export class SalesModule {}

function neverDelete(_identity: SyncIdentity, _collection: string, action: CollectionAction): boolean {
  return action !== 'delete';
}
