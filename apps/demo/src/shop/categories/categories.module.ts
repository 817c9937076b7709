import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { SyncModule } from 'nest-offline-sync';
import { CategoryDto } from './category.dto';
import { Category, CategorySchema } from './category.schema';

/**
 * Small documents that one person at a time looks after.
 *
 * - `last-writer-wins`: the last edit wins. Nothing is worth merging in a name and a colour.
 * - `delete_wins`: a category that somebody deleted stays deleted, even if an edit from a device that was offline
 *   comes in later. (The default, `resurrect_on_update`, would bring it back.)
 */
@Module({
  imports: [
    MongooseModule.forFeature([{ name: Category.name, schema: CategorySchema }]),
    SyncModule.forFeature([
      {
        name: 'categories',
        dto: CategoryDto,
        conflict: 'last-writer-wins',
        deleteUpdatePolicy: 'delete_wins',
        scopes: ['business'],
      },
    ]),
  ],
})
export class CategoriesModule {}
