import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { getConnectionToken } from '@nestjs/mongoose';
import type { Connection } from 'mongoose';
import { SyncService } from '../../libs/sync/src/sync.service';
import { notesApp } from './notes-app';

/**
 * A process that opens a transaction in scope `a`, writes into it, says so, and never ends it. Made to be killed.
 *
 * @param whose the session: `engine`, or `app` for one that the app has opened itself
 */
async function hold(uri: string, whose: string): Promise<void> {
  const app = await NestFactory.createApplicationContext(notesApp(uri), { logger: false });
  const sync = app.get(SyncService);
  if (whose === 'app') {
    const session = await app.get<Connection>(getConnectionToken()).startSession();
    session.startTransaction({ writeConcern: { w: 'majority' } });
    await sync.lock(session, 'a');
    return held();
  }
  await sync.transaction({ scopeId: 'a', actorId: 'holder' }, async (tx) => {
    await tx.upsert('notes', 'held', { n: 1 });
    await held();
  });
}

async function held(): Promise<void> {
  console.log('held');
  await new Promise(() => setInterval(() => undefined, 60_000));
}

void hold(process.argv[2] ?? '', process.argv[3] ?? '');
