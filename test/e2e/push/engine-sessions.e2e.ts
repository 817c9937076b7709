import { NestFactory } from '@nestjs/core';
import type { mongo } from 'mongoose';
import { EngineSessions } from '../../../libs/sync/src/cluster/engine-sessions';
import { OplogRepository } from '../../../libs/sync/src/log/oplog';
import { testDatabase } from '../../support/database';
import { notesApp } from '../../support/notes-app';

const SESSIONS = 16;

interface ProcessRecord {
  readonly _id: string;
  readonly sessions: readonly mongo.Binary[];
}

describe('the sessions of a process', () => {
  const database = testDatabase(__filename);

  it('are known to the others as soon as they are lent, however many are opened concurrently', async () => {
    const app = await NestFactory.createApplicationContext(notesApp(database.uri), { logger: false });
    try {
      const sessions = app.get(EngineSessions, { strict: false });
      const { db } = app.get(OplogRepository, { strict: false });
      const recorded = async (): Promise<string[]> => {
        const record = await db
          .collection<ProcessRecord>('sync_leases')
          .findOne({ _id: { $regex: '^process:' } });
        return (record?.sessions ?? []).map((id) => id.toString('hex')).sort();
      };
      const lent: string[] = [];
      let known: string[] = [];
      let look = (): void => undefined;
      const looked = new Promise<void>((resolve, reject) => {
        look = () => {
          recorded().then((ids) => {
            known = ids;
            resolve();
          }, reject);
        };
      });
      await Promise.all(
        Array.from({ length: SESSIONS }, () =>
          sessions.use(async ({ id }) => {
            lent.push((id as { id: mongo.Binary }).id.toString('hex'));
            if (lent.length === SESSIONS) look();
            await looked;
          }, performance.now() + 30_000),
        ),
      );
      expect(known).toEqual([...lent].sort());
    } finally {
      await app.close();
    }
  });
});
