import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import type { Connection, mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { CollectionRegistry } from '../collections/collection-registry';
import type { SyncExtras } from '../options/extras';
import type { SyncSettings } from '../options/settings';
import { SYNC_CONNECTION, SYNC_EXTRAS, SYNC_SETTINGS } from '../options/tokens';
import { OplogRepository, READ_TIME_LIMIT_MS } from '../log/oplog';
import { adviceFor, createLayout, databaseLayout, missingFromLayout, refuseUnfit } from './layout';
import { checkDeployment, driverAdvice } from './deployment';

/**
 * Makes the database ready before the first request: Nest runs these hooks before it listens. By then every feature
 * module has registered its collections, so the registry is sealed here.
 */
@Injectable()
export class OplogSetupService implements OnApplicationBootstrap {
  private readonly logger = new Logger('SyncModule');
  private readonly db: mongo.Db;
  private preparing: Promise<void> | undefined;

  constructor(
    @Inject(SYNC_CONNECTION) private readonly connection: Connection,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_EXTRAS) private readonly extras: SyncExtras,
    private readonly registry: CollectionRegistry,
    oplog: OplogRepository,
  ) {
    this.db = oplog.db;
  }

  onApplicationBootstrap(): Promise<void> {
    return this.whenReady();
  }

  /**
   * Resolves when collections, indexes and the registry are ready. The work is done once.
   *
   * @throws SyncError `configuration`: not a replica set, too old a server, a collection or index that is missing or
   *   cannot be made, a synced collection that cannot be set up, a kind of collection that takes no transactions
   */
  whenReady(): Promise<void> {
    return (this.preparing ??= this.prepare());
  }

  private async prepare(): Promise<void> {
    await this.connection.asPromise();
    await checkDeployment(this.db);
    await this.registry.seal();
    const names = this.registry.names();
    await this.settleModels(names);
    await refuseUnfit(this.db, this.settings, names);
    const layout = databaseLayout(this.settings, names);
    if (this.settings.autoIndex) {
      const made = await createLayout(this.db, layout);
      if (made.length > 0) this.logger.log(`Made in database ${this.db.databaseName}: ${made.join('; ')}`);
    } else {
      refuseGaps(await missingFromLayout(this.db, layout), this.db.databaseName);
    }
    await this.advise(names);
  }

  /**
   * Waits for Mongoose's own collections and indexes: made while transactions run they fail them, and a collection that
   * was made here first would lack the options of its schema (a collation, for example).
   */
  private async settleModels(names: readonly string[]): Promise<void> {
    for (const model of Object.values(this.connection.models)) {
      if (!names.includes(model.collection.name)) continue;
      try {
        if (this.settings.autoIndex) await model.createCollection();
        await model.init();
      } catch (error) {
        const name = error instanceof Error ? error.name : typeof error;
        this.logger.warn(
          `Mongoose could not make the collection or the indexes of the model ${model.modelName} (${name}). ` +
            `See the schema's indexes; the sync engine goes on without them.`,
        );
      }
    }
  }

  private isCaptured(name: string): boolean {
    return this.registry.get(name)?.rules.capture !== undefined;
  }

  private async advise(names: readonly string[]): Promise<void> {
    for (const line of driverAdvice(this.db.client.options, this.extras.stream)) this.logger.warn(line);
    if (this.settings.trimGraceMs < READ_TIME_LIMIT_MS)
      this.logger.warn(
        `trimGraceMs is shorter than a client's read may take (${READ_TIME_LIMIT_MS} ms): entries could go while somebody reads them.`,
      );
    for (const name of names)
      for (const line of await adviceFor(this.db, name, this.isCaptured(name))) this.logger.warn(line);
  }
}

function refuseGaps(missing: readonly string[], database: string): void {
  if (missing.length === 0) return;
  throw new SyncError(
    'configuration',
    `SyncModule: autoIndex is false, and database ${database} lacks: ${missing.join('; ')}. ` +
      'Run `npx nest-offline-sync init`, or leave autoIndex on.',
    { path: 'autoIndex' },
  );
}
