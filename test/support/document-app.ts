import type { ModelDefinition } from '@nestjs/mongoose';
import mongoose, { type Schema } from 'mongoose';
import type { SyncCollectionOptions } from 'nest-offline-sync';
import { testDatabase } from './database';
import { startHttpApp, upsert, type Device, type HttpApp } from './http-app';

/** A synced collection, `docs`, with the schema of a test, another one without, and two devices of one scope. */
export interface DocumentApp {
  readonly app: HttpApp;
  readonly one: Device;
  readonly two: Device;
  /** The app's own model. */
  readonly model: mongoose.Model<Record<string, unknown>>;
  /** The stored document. */
  stored(id?: unknown): Promise<Record<string, unknown>>;
  /** A device's edit of `docs`; gives the new version. */
  edit(device: Device, data: object, parent?: string | null, more?: object): Promise<string>;
}

export const IDENTITY = { scopeId: 'shop', actorId: 'server' };

/** Opens such apps, and closes them after each test. */
export function documentApps(file: string) {
  let open: HttpApp[] = [];
  afterEach(async () => {
    for (const app of open) await app.close();
    open = [];
  });
  return async (
    schema: Schema,
    collection: Partial<SyncCollectionOptions> = {},
    models: ModelDefinition[] = [],
  ): Promise<DocumentApp> => {
    const app = await startHttpApp(testDatabase(file).uri, {
      models: [{ name: 'Doc', schema, collection: 'docs' }, ...models],
      options: {
        collections: [
          { name: 'docs', ...collection },
          { name: 'free', freeForm: true },
        ],
      },
    });
    open.push(app);
    await app.db.collection('docs').deleteMany({});
    const model = mongoose.connections.find(
      (connection) => connection.getClient() === (app.client as unknown) && connection.models['Doc'],
    )?.models['Doc'] as DocumentApp['model'];
    return {
      app,
      one: app.as('shop', 'ann', 'one'),
      two: app.as('shop', 'bea', 'two'),
      model,
      stored: async (id = 'd') => {
        const document = await app.db.collection('docs').findOne({ _id: id as never });
        if (!document) throw new Error('not stored');
        return document;
      },
      edit: async (device, data, parent = null, more = {}) => {
        const result = await device.one(upsert('docs', 'd', data, { parent_version: parent, ...more }));
        if (result.status === 'rejected') throw new Error(`${String(result.code)}: ${String(result.error)}`);
        return String(result.new_version);
      },
    };
  };
}
