import { Injectable } from '@nestjs/common';
import { InjectConnection } from '@nestjs/mongoose';
import type { Connection } from 'mongoose';
import { SyncService } from 'nest-offline-sync';
import { exampleBusinesses, type ExampleBusiness } from './example-businesses';

/** Puts two example businesses into a database that does not have them, by the same path as any write of the app. */
@Injectable()
export class SeedService {
  constructor(
    private readonly sync: SyncService,
    @InjectConnection() private readonly connection: Connection,
  ) {}

  /** @returns the names of the businesses that were added; none when the database has them already */
  async seed(): Promise<string[]> {
    const added: string[] = [];
    for (const business of exampleBusinesses(new Date())) {
      if (await this.add(business)) added.push(business.id);
    }
    return added;
  }

  /** One transaction a business, with the look inside it: two processes that start at once still seed only once. */
  private async add({ id, documents }: ExampleBusiness): Promise<boolean> {
    return this.sync.transaction({ scopeId: id, actorId: 'example-data' }, async (tx) => {
      // Also a deleted category counts: what people removed does not come back with the next start.
      const seeded = await this.connection
        .collection('categories')
        .findOne({ _sync_scope_id: id }, { session: tx.session, projection: { _id: 1 } });
      if (seeded) return false;
      for (const { collection, docId, data } of documents) await tx.upsert(collection, docId, data);
      return true;
    });
  }
}
