import * as fc from 'fast-check';
import { steps } from '../../harness/isolation/attacks';
import { Duel } from '../../harness/isolation/duel';
import { PLAIN_ATTACKS } from '../../harness/isolation/plain-attacks';
import { sockets } from '../../harness/isolation/socket-attacks';
import { runSockets } from '../../harness/isolation/socket-duel';

/** Runs of the short set. `SYNC_FUZZ_RUNS=2000 npx jest isolation-fuzz` for more. */
const RUNS = Number(process.env['SYNC_FUZZ_RUNS'] ?? 40);
/** To replay a failure: the seed and the path that it printed. */
const REPLAY = {
  ...(process.env['SYNC_FUZZ_SEED'] === undefined ? {} : { seed: Number(process.env['SYNC_FUZZ_SEED']) }),
  ...(process.env['SYNC_FUZZ_PATH'] === undefined ? {} : { path: process.env['SYNC_FUZZ_PATH'] }),
};

/** A run that waits for what never comes is shrunk no longer than this: the failure is told, and not the time-out. */
const LIMITED = { interruptAfterTimeLimit: 40_000 + RUNS * 1_000, markInterruptAsFailure: true };

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
    60_000 + RUNS * 2_000,
  );

  it(
    'gets over sockets its own log alone, and nothing that tells of another tenant',
    async () => {
      const runs = Math.ceil(RUNS / 10);
      const tried = { sockets: 0, frames: 0 };
      await fc.assert(
        fc.asyncProperty(sockets, async (some) => {
          tried.sockets += some.length;
          tried.frames += (await runSockets(duel, some)).frames;
        }),
        { numRuns: runs, ...LIMITED, ...REPLAY },
      );
      const { sockets: count, frames } = tried;
      process.stdout.write(
        `isolation-fuzz: ${String(runs)} runs, ${String(count)} sockets, ${String(frames)} frames\n`,
      );
    },
    60_000 + RUNS * 2_000,
  );
});
