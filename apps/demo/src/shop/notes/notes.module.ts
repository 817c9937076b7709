import { Module } from '@nestjs/common';
import { SyncModule } from 'nest-offline-sync';

/**
 * Anything: no schema and no DTO, any JSON object is accepted. `freeForm` is explicit, so that a mistyped name of a
 * collection is not taken for it.
 *
 * - `ids: 'scoped'`: people name their notes ("settings", "monday"). Every business has its own ids, so two of them
 *   can both own "settings", and neither can see or take the other's. The stored `_id` then holds the scope too;
 *   `SyncService.storedId()` gives it to the app's own code.
 * - `scopes: ['business', 'user']`: a business has notes, and so has each person, in a private scope (shop-scopes.ts).
 * - `last-writer-wins`, the default: nothing is known about the fields.
 */
@Module({
  imports: [
    SyncModule.forFeature([
      {
        name: 'notes',
        freeForm: true,
        ids: 'scoped',
        conflict: 'last-writer-wins',
        scopes: ['business', 'user'],
      },
    ]),
  ],
})
export class NotesModule {}
