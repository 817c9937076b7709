import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { SyncService } from '../../libs/sync/src/sync.service';
import { notesApp } from './notes-app';

/** A process that opens a transaction in scope `a`, writes into it, says so, and never ends it. Made to be killed. */
async function hold(uri: string): Promise<void> {
  const app = await NestFactory.createApplicationContext(notesApp(uri), { logger: false });
  await app.get(SyncService).transaction({ scopeId: 'a', actorId: 'holder' }, async (tx) => {
    await tx.upsert('notes', 'held', { n: 1 });
    console.log('held');
    await new Promise(() => setInterval(() => undefined, 60_000));
  });
}

void hold(process.argv[2] ?? '');
