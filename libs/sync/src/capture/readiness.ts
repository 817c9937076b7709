import type { Logger } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { errorKind, isPassing } from '../database/errors';
import { createLayout, databaseLayout, unfitCollection } from '../database/layout';
import type { SyncSettings } from '../options/settings';
import { keepPreImages } from './pre-images';

/**
 * `ready`: it is there, with all that capture needs. `gone`: it may come back at any moment. `missed`: it has been gone for
 * long. `unfit`: it cannot be captured as it stands.
 */
export type CollectionState = 'ready' | 'gone' | 'missed' | 'unfit';

/** Who drops a collection to make it again with other options does both at once: it is left to them for so long. */
const GONE_MS = 3_000;

/** Whether captured collections have all that capture needs: somebody may drop one, or make it again as what cannot be captured. */
export class Readiness {
  private readonly unfit = new Set<string>();
  /** When each was first seen to be gone. performance.now() */
  private readonly gone = new Map<string, number>();

  constructor(
    private readonly db: mongo.Db,
    private readonly settings: SyncSettings,
    private readonly logger: Pick<Logger, 'error'>,
  ) {}

  /** Whether it was not ready when it was last looked at. */
  isPending(name: string): boolean {
    return this.unfit.has(name) || this.gone.has(name);
  }

  /** Gives a collection its indexes and pre-images again, if it is there. What makes it unfit is said. */
  async restore(name: string): Promise<CollectionState> {
    if (await this.isThere(name)) return (await this.make(name)) ? 'ready' : 'unfit';
    const since = this.gone.get(name) ?? 0;
    return performance.now() - since < GONE_MS ? 'gone' : 'missed';
  }

  async isThere(name: string): Promise<boolean> {
    const [found] = await this.db.listCollections({ name }, { nameOnly: true }).toArray();
    if (found) return true;
    this.unfit.delete(name);
    this.gone.set(name, this.gone.get(name) ?? performance.now());
    return false;
  }

  /** The same, and makes one that is not there. False: it is unfit. */
  async make(name: string): Promise<boolean> {
    const fault = await this.restored(name);
    this.gone.delete(name);
    if (fault === undefined) this.unfit.delete(name);
    else {
      if (!this.unfit.has(name)) this.logger.error(`Capture leaves collection ${name} alone: ${fault}.`);
      this.unfit.add(name);
    }
    return fault === undefined;
  }

  /** It is gone, and nobody misses anything of it: from now on it is only looked whether it is back. */
  settle(name: string): void {
    if (this.gone.has(name)) this.gone.set(name, Infinity);
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
      if (isPassing(error)) throw error;
      return `its indexes or pre-images cannot be made (${errorKind(error)})`;
    }
  }
}
