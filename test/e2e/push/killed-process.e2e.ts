import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { NestFactory } from '@nestjs/core';
import { SyncService, type SyncIdentity } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { notesApp } from '../../support/notes-app';

const ALICE: SyncIdentity = { scopeId: 'a', actorId: 'alice' };

const HOLDER = join(__dirname, '../../support', 'holding-process.ts');

describe('a process that is killed in the middle of a transaction', () => {
  const database = testDatabase(__filename);
  let holder: ChildProcess | undefined;
  afterEach(() => holder?.kill('SIGKILL'));

  it.each([
    ['of the engine', 'engine'],
    ['that the app began itself', 'app'],
  ])(
    '%s, blocks its scope for seconds, not for the minute that MongoDB keeps its locks',
    async (_, whose) => {
      const app = await NestFactory.createApplicationContext(notesApp(database.uri), { logger: false });
      try {
        const sync = app.get(SyncService);
        const push = (docId: string) =>
          sync.push(ALICE, {
            client_id: 'c',
            changes: [{ collection: 'notes', operation: 'upsert', doc_id: docId, data: { n: 1 } }],
          });
        await push(`${whose}-before`);

        holder = spawn(
          process.execPath,
          ['-r', join(__dirname, '../../support', 'ts-hook.cjs'), HOLDER, database.uri, whose],
          {
            stdio: ['ignore', 'pipe', 'inherit'],
          },
        );
        if (!holder.stdout) throw new Error('no output');
        await once(createInterface({ input: holder.stdout }), 'line');
        holder.kill('SIGKILL');
        await once(holder, 'exit');

        const { results } = await push(`${whose}-after`);
        expect(results[0]?.status).toBe('accepted');
        const page = await sync.pull(ALICE, {});
        if (page.full_resync_required) throw new Error('a full resync was required');
        const ids = page.changes.map((change) => change.doc_id);
        expect(ids.slice(-2)).toEqual([`${whose}-before`, `${whose}-after`]);
        expect(ids).not.toContain('held');
      } finally {
        await app.close();
      }
    },
    // Less than that minute.
    45_000,
  );
});
