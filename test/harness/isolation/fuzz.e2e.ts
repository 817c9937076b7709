import * as fc from 'fast-check';
import { steps } from './attacks';
import { Duel } from './duel';
import { PLAIN_ATTACKS } from './plain-attacks';
import { runs } from '../../support/runs';
import { socketPushes, sockets } from './socket-attacks';
import { runSocketPushes, runSockets } from './socket-duel';

/** The plain attacks and some more; `SYNC_FUZZ_RUNS=2000 npx jest -c jest.check.config.js isolation/fuzz` for many more. */
const RUNS = Number(process.env['SYNC_FUZZ_RUNS'] ?? Math.max(PLAIN_ATTACKS.length + 4, runs(40).numRuns));
/** To replay a failure: the seed and the path that it printed. */
const REPLAY = {
  ...(process.env['SYNC_FUZZ_SEED'] === undefined ? {} : { seed: Number(process.env['SYNC_FUZZ_SEED']) }),
  ...(process.env['SYNC_FUZZ_PATH'] === undefined ? {} : { path: process.env['SYNC_FUZZ_PATH'] }),
};

/** A run that waits for what never comes is shrunk no longer than this: the failure is told, and not the time-out. */
const LIMITED = { interruptAfterTimeLimit: 240_000 + RUNS * 2_000, markInterruptAsFailure: true };

describe('a hostile tenant', () => {
  let duel: Duel;
  beforeAll(async () => {
    duel = await Duel.begin(__filename);
  });
  afterAll(async () => {
    await duel.end();
  });

  it(
    'gets over HTTP the same answers whether another tenant exists or not, and changes nothing of it',
    async () => {
      await fc.assert(
        fc.asyncProperty(steps(14), (some) => duel.run(some)),
        { numRuns: RUNS, examples: PLAIN_ATTACKS.map((some) => [some]), ...LIMITED, ...REPLAY },
      );
      process.stdout.write(`isolation-fuzz: ${String(RUNS)} runs, ${String(duel.requests)} requests\n`);
    },
    300_000 + RUNS * 3_000,
  );

  it(
    'gets over sockets its own log alone, and nothing that tells of another tenant',
    async () => {
      const rounds = Math.ceil(RUNS / 10);
      const tried = { sockets: 0, frames: 0 };
      await fc.assert(
        fc.asyncProperty(sockets, async (some) => {
          tried.sockets += some.length;
          tried.frames += (await runSockets(duel, some)).frames;
        }),
        { numRuns: rounds, ...LIMITED, ...REPLAY },
      );
      const { sockets: count, frames } = tried;
      process.stdout.write(
        `isolation-fuzz: ${String(rounds)} runs, ${String(count)} sockets, ${String(frames)} frames\n`,
      );
    },
    300_000 + RUNS * 3_000,
  );

  it(
    'gets the same answers to pushes over a socket whether another tenant exists or not, and changes nothing of it',
    async () => {
      const rounds = Math.ceil(RUNS / 4);
      let pushes = 0;
      await fc.assert(
        fc.asyncProperty(socketPushes, async (some) => {
          pushes += await runSocketPushes(duel, some);
        }),
        { numRuns: rounds, ...LIMITED, ...REPLAY },
      );
      process.stdout.write(`isolation-fuzz: ${String(rounds)} runs, ${String(pushes)} pushes over sockets\n`);
    },
    300_000 + RUNS * 3_000,
  );
});
