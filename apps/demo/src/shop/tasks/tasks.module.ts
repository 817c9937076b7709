import { Module } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { SyncModule } from 'nest-offline-sync';
import { TaskDto } from './task.dto';
import { Task, TaskSchema } from './task.schema';

/**
 * A to-do list that several people edit at once.
 *
 * - `merge`: one ticks a task off while another, offline, changes its title. Both edits are kept, field by field.
 * - `ids: 'global'` is the default, written out because people choose these ids: the stored `_id` is the wire's id,
 *   so the app's own code reads it plainly, and an id that one business uses answers `id_unavailable` to all others.
 *   See notes.module.ts for the other way.
 */
@Module({
  imports: [
    MongooseModule.forFeature([{ name: Task.name, schema: TaskSchema }]),
    SyncModule.forFeature([
      { name: 'tasks', dto: TaskDto, ids: 'global', conflict: 'merge', scopes: ['business'] },
    ]),
  ],
})
export class TasksModule {}
