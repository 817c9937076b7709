import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { SyncModule } from 'nest-offline-sync';
import { CustomerDto } from './customer.dto';
import { Customer, CustomerSchema } from './customer.schema';

/**
 * Wide documents, whose parts different people edit.
 *
 * - `merge`: the counter changes the e-mail, the back office the address. Both stay.
 * - `reject_update`: an edit of a customer who was deleted meanwhile is rejected with `conflict_deleted`. Somebody may
 *   have asked for the deletion, so a person has to decide, not the software.
 * - `ids: 'global'` with UUIDs: nobody can guess an id, so nobody can take one in advance.
 */
@Module({
  imports: [
    MongooseModule.forFeature([{ name: Customer.name, schema: CustomerSchema }]),
    SyncModule.forFeature([
      {
        name: 'customers',
        dto: CustomerDto,
        ids: 'global',
        conflict: 'merge',
        deleteUpdatePolicy: 'reject_update',
        scopes: ['business'],
      },
    ]),
  ],
})
export class CustomersModule {}
