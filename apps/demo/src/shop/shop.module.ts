import { Module } from '@nestjs/common';
import { CatalogModule } from './catalog/catalog.module';
import { CategoriesModule } from './categories/categories.module';
import { CustomersModule } from './customers/customers.module';
import { InventoryModule } from './inventory/inventory.module';
import { NotesModule } from './notes/notes.module';
import { OrdersModule } from './orders/orders.module';
import { SalesModule } from './sales/sales.module';
import { SeedModule } from './seed/seed.module';
import { TasksModule } from './tasks/tasks.module';

/** Each feature module registers its own synced collection, next to its schema. */
@Module({
  imports: [
    TasksModule,
    InventoryModule,
    CategoriesModule,
    OrdersModule,
    CustomersModule,
    SalesModule,
    NotesModule,
    CatalogModule,
    SeedModule,
  ],
})
export class ShopModule {}
