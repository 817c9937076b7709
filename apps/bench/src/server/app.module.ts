import { Module, type DynamicModule } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { RECOMMENDED_DRIVER_TIMES, SyncModule, type SyncScopes } from 'nest-offline-sync';
import type { ServerEnvironment } from './environment';
import { Task, TaskSchema } from './task.schema';

/** What begins with the own scope may be used too. Nothing is looked up: it is the engine that is measured. */
const SCOPES: Pick<SyncScopes, 'list' | 'access'> = {
  list: () => [],
  access: ({ scopeId }, scope) => (scope.startsWith(`${scopeId}-`) ? 'write' : 'none'),
};

const CAPTURED = { capture: true, scopeField: 'business_id' };
/** Like notes, and never captured. */
export const LETTERS = 'letters';

/** A host app with nothing but sync in it: defaults everywhere, a token a request. */
@Module({})
export class AppModule {
  static register(environment: ServerEnvironment): DynamicModule {
    const { mongoUri, database, secret, pingIntervalMs, pages, capture } = environment;
    // The peers know no parent version: what they write counts.
    const conflict = pages === undefined ? {} : { conflict: 'client-wins' as const };
    return {
      module: AppModule,
      imports: [
        MongooseModule.forRoot(mongoUri, { dbName: database, ...RECOMMENDED_DRIVER_TIMES, retryAttempts: 0 }),
        MongooseModule.forFeature([{ name: Task.name, schema: TaskSchema }]),
        SyncModule.forRoot({
          collections: [
            { name: 'notes', freeForm: true, ids: 'global', ...conflict, ...(capture ? CAPTURED : {}) },
            { name: LETTERS, freeForm: true, ids: 'global' },
            { name: 'tasks', ids: 'global' },
          ],
          jwt: { secret },
          actorIdField: 'user_id',
          scopeIdField: 'business_id',
          scopes: SCOPES,
          ...(pingIntervalMs === undefined ? {} : { pingIntervalMs }),
        }),
      ],
    };
  }
}
