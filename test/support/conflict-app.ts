import type { Type } from '@nestjs/common';
import { formatHlc, type ConflictResolver, type JsonObject, type PushResult } from 'nest-offline-sync';
import { CONFLICT_COLLECTIONS, OPEN } from './conflict-collections';
import { testDatabase } from './database';
import { remove, startHttpApp, upsert, type Device, type HttpApp, type HttpAppOptions } from './http-app';

const HOUR = 3_600_000;

/** An edit stamp of a device, that many minutes after an hour ago. */
export function edited(minutes: number): string {
  return formatHlc({ ms: Date.now() - HOUR + minutes * 60_000, counter: 0, node: 'device' });
}
/** Of an edit that is newer than anything that the server has. */
export function editedLast(): string {
  return edited(60.5);
}

/** Two devices of one scope, in collections that differ in how they judge. */
export class ConflictApp {
  readonly ann: Device;
  readonly bea: Device;
  private ids = 0;
  /** The document that this test is about. */
  id = '';

  private constructor(readonly app: HttpApp) {
    this.ann = app.as('a', 'ann');
    this.bea = app.as('a', 'bea');
  }

  /** @param resolver of the collection `custom` */
  static async start(
    fileName: string,
    resolver?: Type<ConflictResolver>,
    providers?: HttpAppOptions['providers'],
  ): Promise<ConflictApp> {
    const app = await startHttpApp(testDatabase(fileName).uri, {
      providers,
      options: {
        collections: [
          ...CONFLICT_COLLECTIONS,
          {
            name: 'secret',
            ...OPEN,
            conflict: 'reject-stale',
            authorizer: ({ actorId }, _name, action) => action !== 'read' || actorId === 'ann',
          },
          ...(resolver ? [{ name: 'custom', ...OPEN, resolver }] : []),
        ],
      },
    });
    return new ConflictApp(app);
  }

  nextDocument(): void {
    this.ids += 1;
    this.id = `doc-${String(this.ids)}`;
  }

  write(device: Device, collection: string, data: JsonObject | null, more: object = {}): Promise<PushResult> {
    return device.one(data ? upsert(collection, this.id, data, more) : remove(collection, this.id, more));
  }

  async data(collection: string): Promise<JsonObject | null | undefined> {
    return (await this.ann.read(collection, this.id))?.data;
  }

  /** How many conflicts were counted. */
  async counted(collection: string): Promise<number> {
    const metric = await this.app.registry.getSingleMetric('sync_conflict_total')?.get();
    return metric?.values.find(({ labels }) => labels['collection'] === collection)?.value ?? 0;
  }

  /** Ann's document, which Bea then edits. The version that Ann still has is returned. */
  async twoEdits(collection: string, first: JsonObject, second: JsonObject | null): Promise<string> {
    const { new_version } = await this.write(this.ann, collection, first);
    const edit = await this.write(this.bea, collection, second, { parent_version: new_version });
    if (edit.status !== 'accepted') throw new Error(`Bea's edit was not accepted: ${String(edit.code)}`);
    return new_version ?? '';
  }
}
