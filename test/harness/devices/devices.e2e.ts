import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testDatabase } from '../../support/database';
import { inSeconds, testToken } from '../../support/jwt';
import { freePort } from '../../support/mongod-process';
import { ServerProcess } from '../faults/server-process';
import { checkDevices } from './check';

/** The short set; `npm run check:devices` does it for as long as you like. */
const LENGTH_MS = 12_000;

const secret = 'of-the-test-of-devices-only-0123456789';
let folder: string;
let server: ServerProcess;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nos-devices-'));
  server = await ServerProcess.create({
    ...{ name: 'server', port: await freePort(), mongoUri: testDatabase(__filename).uri, secret, folder },
    variables: { SYNC_PING_INTERVAL_MS: '2000' },
  });
  await server.start();
});
afterAll(async () => {
  await server?.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

it('keeps two browsers and a process equal to the server, whatever breaks', async () => {
  const { figures, findings } = await checkDevices({
    ...{ seed: 15, server, folder, lengthMs: LENGTH_MS, roundMs: LENGTH_MS, paceMs: 250 },
    ...{ restarts: true, calmMs: 90_000 },
    token: (business, user) =>
      testToken({
        payload: { user_id: user, business_id: business, exp: inSeconds(3600) },
        key: secret,
      }),
  });
  expect(findings).toEqual([]);
  // Something was really tried.
  expect(figures.kept['count']).toBeGreaterThan(20);
  expect(figures.settled['accepted']).toBeGreaterThan(20);
  expect(figures.judged).toBeGreaterThan(500);
  expect(Object.keys(figures.trouble).length).toBeGreaterThan(4);
}, 300_000);
