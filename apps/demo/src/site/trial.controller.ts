import { randomBytes } from 'node:crypto';
import cluster from 'node:cluster';
import { ConflictException, Controller, HttpCode, Post, UseGuards } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { SyncGuard, SyncService, SyncUser, type SyncIdentity } from 'nest-offline-sync';

const PRODUCTS = 10_000;
const AT_ONCE = 1_000;

/** What the page at `/` offers for trying. Not in production. */
@ApiExcludeController()
@Controller('demo')
export class TrialController {
  constructor(private readonly sync: SyncService) {}

  /** Ends this server process as a crash would: what was not committed is gone. The first process starts another one. */
  @Post('kill')
  @HttpCode(202)
  kill(): void {
    if (!cluster.isWorker) throw new ConflictException('Nobody would start this process again.');
    setImmediate(() => process.kill(process.pid, 'SIGKILL'));
  }

  /** Fills the shelf of the caller's business, as a till would push it: every phone hears of it. */
  @Post('products')
  @UseGuards(SyncGuard)
  async products(@SyncUser() identity: SyncIdentity): Promise<{ readonly added: number }> {
    for (let first = 1; first <= PRODUCTS; first += AT_ONCE)
      await this.sync.push(identity, {
        client_id: 'demo',
        changes: Array.from({ length: AT_ONCE }, (_, index) => product(first + index)),
      });
    return { added: PRODUCTS };
  }
}

function product(number: number): object {
  return {
    collection: 'inventory_items',
    operation: 'upsert',
    doc_id: randomBytes(12).toString('hex'),
    data: { name: `Product ${String(number).padStart(5, '0')}`, price: '1.00', quantity: 10 },
    parent_version: null,
  };
}
