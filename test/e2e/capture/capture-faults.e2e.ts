import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import mongoose from 'mongoose';
import { startEmbeddedMongo } from '../../../libs/embedded-mongo/src';
import { doubled, following, itemsIn, settled, startCapturing } from '../../support/captured-items';
import { testDatabase, withDatabase } from '../../support/database';
import { foreignWrites, ROUNDS } from '../../support/foreign-writes';
import type { WritesApp } from '../../support/writes-app';

const SUPPORT = join(__dirname, '../../support');
describe('capture under faults', () => {
  const database = testDatabase(__filename);
  const children: ChildProcess[] = [];
  const apps: WritesApp[] = [];
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  it('goes on in another process when the one that captures is killed', async () => {
    const child = spawn(
      process.execPath,
      ['-r', join(SUPPORT, 'ts-hook.cjs'), join(SUPPORT, 'capturing-process.ts'), database.uri],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    children.push(child);
    await once(createInterface({ input: child.stdout }), 'line');
    const app = await startCapturing(database.uri);
    apps.push(app);
    const made = await foreignWrites(app, async (round) => {
      if (round !== ROUNDS / 2) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    });
    await settled(app, 'north');
    const entries = await itemsIn(app, 'north');
    expect(doubled(entries)).toEqual([]);
    expect(new Set(entries.map(({ doc_id }) => doc_id)).size).toBeGreaterThan(made / 2);
  });

  it('goes on when the primary steps down', async () => {
    const server = await startEmbeddedMongo();
    const admin = await mongoose.mongo.MongoClient.connect(server.uri);
    try {
      const app = await startCapturing(withDatabase(server.uri, 'stepped'));
      apps.push(app);
      await following(app);
      const made = await foreignWrites(app, async (round) => {
        if (round % 25 !== 10) return;
        const stepDown = { replSetStepDown: 1, secondaryCatchUpPeriodSecs: 0, force: true };
        await admin.db('admin').command(stepDown);
      });
      await settled(app, 'north');
      const entries = await itemsIn(app, 'north');
      expect(doubled(entries)).toEqual([]);
      expect(new Set(entries.map(({ doc_id }) => doc_id)).size).toBeGreaterThan(made / 2);
      await Promise.all(apps.splice(0).map((each) => each.close()));
    } finally {
      await admin.close();
      await server.stop();
    }
  });
});
