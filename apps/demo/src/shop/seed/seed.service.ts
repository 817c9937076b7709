import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import type { Connection } from 'mongoose';
import { SyncService } from 'nest-offline-sync';
import { CATALOG } from '../scopes/shop-scopes';
import { catalog } from './catalog';
import { exampleBusinesses } from './example-businesses';
import type { ExampleDocument } from './example-document';

/**
 * Puts two example businesses and the catalogue into a database that does not have them, by the same path as any write of
 * the app.
 */
@Injectable()
export class SeedService {
  constructor(
    private readonly sync: SyncService,
    @InjectConnection() private readonly connection: Connection,
  ) {}

  /** @returns the names of the businesses that were added; none when the database has them already */
  async seed(): Promise<string[]> {
    const added: string[] = [];
    for (const { id, documents } of exampleBusinesses(new Date())) {
      if (await this.add(id, 'categories', documents)) added.push(id);
    }
    await this.add(CATALOG, 'catalog_items', catalog);
    return added;
  }

  /** One transaction a scope, with the look inside it: two processes that start at once still seed only once. */
  private async add(scopeId: string, sign: string, documents: readonly ExampleDocument[]): Promise<boolean> {
    return this.sync.transaction({ scopeId, actorId: 'example-data' }, async (tx) => {
      // Also a deleted one counts: what people removed does not come back with the next start.
      const seeded = await this.connection
        .collection(sign)
        .findOne({ _sync_scope_id: scopeId }, { session: tx.session, projection: { _id: 1 } });
      if (seeded) return false;
      for (const { collection, docId, data } of documents) await tx.upsert(collection, docId, data);
      return true;
    });
  }
}
