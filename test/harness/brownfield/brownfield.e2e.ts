import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { testDatabase } from '../../support/database';
import { inSeconds, testToken } from '../../support/jwt';
import { freePort } from '../../support/mongod-process';
import { ServerProcess } from '../faults/server-process';
import { checkRound } from './check';

/** The short set; `npm run check:brownfield` does it with 100,000 documents. */
describe('a team with data and services adds sync', () => {
  const secret = 'of-the-test-of-brownfield-only-0123456789';
  const apps: ServerProcess[] = [];
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nos-brownfield-'));
  });
  afterAll(async () => {
    await Promise.all(apps.map((app) => app.close()));
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  it.each([
    { name: 'undisturbed', processes: 1, log: true },
    { name: 'killed', processes: 2, log: true, killEveryMs: 3_000 },
  ])(
    'and devices, log, full resync and collection agree with what the services wrote: $name',
    async ({ name, processes, ...round }) => {
      const own = join(folder, name);
      await mkdir(own);
      const { uri } = testDatabase(`brown-${name}`);
      const some: ServerProcess[] = [];
      for (let n = 0; n < processes; n += 1)
        some.push(
          await ServerProcess.create({
            ...{ name: `${name}${String(n)}`, port: await freePort(), mongoUri: uri, secret, folder: own },
            program: join(__dirname, 'app.ts'),
          }),
        );
      apps.push(...some);
      const { figures, findings } = await checkRound({
        ...{ uri, apps: some, seed: 17, folder: own, documents: 2_000, scopes: 20, services: 2, ...round },
        ...{ lengthMs: 4_000, servicePaceMs: 5, devicePaceMs: 60, calmMs: 60_000 },
        token: (business, user) =>
          testToken({
            payload: { user_id: user, business_id: business, exp: inSeconds(3600) },
            key: secret,
          }),
        say: () => undefined,
      });
      expect(findings).toEqual([]);
      // Something was really tried.
      expect(Object.keys(figures.writesByKind)).toHaveLength(12);
      expect(figures.foreignWrites).toBeGreaterThan(300);
      expect(figures.edits).toBeGreaterThan(30);
      expect(figures.kills > 0).toBe(name === 'killed');
    },
    180_000,
  );
});
