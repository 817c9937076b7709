import { Module, type Type } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { SyncModule } from '../../libs/sync/src/sync.module';
import { TEST_SECRET } from './sync-app';

/** The root module of an app with one free-form collection, `notes`, and no transports. */
export function notesApp(uri: string): Type {
  @Module({
    imports: [
      MongooseModule.forRoot(uri),
      SyncModule.forRoot({
        jwt: { secret: TEST_SECRET },
        collections: [{ name: 'notes', freeForm: true, ids: 'scoped' }],
        http: false,
        stream: false,
        metricsEnabled: false,
      }),
    ],
  })
  class NotesAppModule {}
  return NotesAppModule;
}
