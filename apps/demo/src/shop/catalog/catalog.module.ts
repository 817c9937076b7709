import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { SyncModule } from 'nest-offline-sync';
import { CatalogItem, CatalogItemSchema } from './catalog-item.schema';

/**
 * What the wholesaler sells, for all businesses.
 *
 * - `scopes: ['catalog']`: it lives in that one scope, which devices may only read (see shop-scopes.ts). The app fills it
 *   (seed.service.ts), by the same writes as anywhere else.
 * - `ids: 'global'`: there is one catalogue, and its article numbers mean the same to everybody.
 */
@Module({
  imports: [
    MongooseModule.forFeature([{ name: CatalogItem.name, schema: CatalogItemSchema }]),
    SyncModule.forFeature([{ name: 'catalog_items', ids: 'global', scopes: ['catalog'] }]),
  ],
})
export class CatalogModule {}
