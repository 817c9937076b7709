import type { Sample } from '../model';
import type { PushShape } from '../load/push-plan';
import { NOTES } from '../workload/notes';
import { LETTERS } from '../server/app.module';
import type { Row } from './bench';
import { pushesTo } from './push-measures';

const DATABASE = 'bench_push_captured';
const SHAPE: PushShape = { clients: 4, batch: 100, scopes: 'own' };

/** What capture costs devices: the same pushes into a collection that is captured, and into one beside it that is not. */
export const PUSH_CAPTURED_ROW: Row = {
  id: 'push-captured',
  title: 'push x100, 4 clients, a collection that is captured',
  figures: [
    { name: 'rate', label: 'changes', unit: 'per second' },
    { name: 'captured', label: 'against a server without capture', unit: 'times' },
    { name: 'beside', label: 'a collection beside it, against the same', unit: 'times' },
  ],
  targets: [
    { figure: 'captured', bound: { least: 0.6 } },
    { figure: 'beside', bound: { least: 0.9 } },
  ],
  variants: ['ours-1'],
  timed: true,
  overheadSeconds: 3,
  open: async (bench) => {
    const at = async (database: string, capture: boolean, collection: string) => {
      const { url } = await bench.ownServer(database, { capture });
      return pushesTo(bench, { url, db: bench.client.db(database) }, { ...SHAPE, collection });
    };
    const runs = {
      plain: await at('bench_push_plain', false, NOTES),
      captured: await at(DATABASE, true, NOTES),
      beside: await at(`${DATABASE}_beside`, true, LETTERS),
    };
    return {
      measures: {
        'ours-1': async (turn): Promise<Sample> => {
          const rates: Record<string, number> = {};
          for (const [name, run] of Object.entries(runs)) {
            const { figures } = await run({ ...turn, name: `${turn.name}-${name}` });
            rates[name] = figures['rate'] ?? NaN;
          }
          const { plain = NaN, captured = NaN, beside = NaN } = rates;
          return { figures: { rate: captured, captured: captured / plain, beside: beside / plain } };
        },
      },
    };
  },
};
