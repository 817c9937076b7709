import type { Logger } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { createLayout, databaseLayout, unfitCollection } from '../database/layout';
import type { SyncSettings } from '../options/settings';
import { keepPreImages } from './pre-images';

/** Whether captured collections have all that capture needs: somebody may make one again, as what cannot be captured. */
export class Readiness {
  private readonly unfit = new Set<string>();

  constructor(
    private readonly db: mongo.Db,
    private readonly settings: SyncSettings,
    private readonly logger: Pick<Logger, 'error'>,
  ) {}

  isUnfit(name: string): boolean {
    return this.unfit.has(name);
  }

  /** Gives a collection its indexes and pre-images again. False: it cannot be captured as it stands, which is said. */
  async restore(name: string): Promise<boolean> {
    const fault = await this.restored(name);
    if (fault === undefined) this.unfit.delete(name);
    else {
      if (!this.unfit.has(name)) this.logger.error(`Capture leaves collection ${name} alone: ${fault}.`);
      this.unfit.add(name);
    }
    return fault === undefined;
  }

  private async restored(name: string): Promise<string | undefined> {
    const fault = await unfitCollection(this.db, name);
    if (fault !== undefined) return fault;
    try {
      await createLayout(this.db, databaseLayout(this.settings, [name]).slice(-1));
      await keepPreImages(this.db, name);
      return undefined;
    } catch (error) {
      if (error instanceof SyncError && error.code === 'configuration') return error.message;
      throw error;
    }
  }
}
