import type { Database } from '../storage.ts';
import type { Bench, Cases, StorageDevice } from './contract/device.ts';
import { LIFE } from './contract/life.ts';
import { ORDER } from './contract/order.ts';
import { RANDOM } from './contract/random.ts';
import { ROWS } from './contract/rows.ts';
import { TRANSACTIONS } from './contract/transactions.ts';
import { trouble } from './contract/trouble.ts';
import { VALUES } from './contract/values.ts';

/** One claim about the storage. */
export interface ContractCase {
  readonly name: string;
  /** Rejects with what was expected and what was there. Leaves no database behind. */
  run(): Promise<void>;
}

/**
 * The contract of storages (in the comment of `ClientStorage`) as cases without a test framework:
 *
 *     for (const { name, run } of storageContract({ storage: () => myStorage() })) it(name, run);
 *
 * The cases run one at a time, in any order; databases whose names begin with `contract-` are theirs.
 */
export function storageContract(device: StorageDevice): readonly ContractCase[] {
  const cases: Cases = {
    ...TRANSACTIONS,
    ...ORDER,
    ...ROWS,
    ...VALUES,
    ...LIFE,
    ...RANDOM,
    ...trouble(device),
  };
  return Object.entries(cases).map(([name, check], at) => ({
    name,
    run: () => onBench(device, `contract-${at}`, check),
  }));
}

async function onBench(
  device: StorageDevice,
  name: string,
  check: (bench: Bench) => Promise<void>,
): Promise<void> {
  const storage = device.storage();
  const opened: Database[] = [];
  const clean = async () => {
    for (const other of await storage.list())
      if (other === name || other.startsWith(`${name} `)) await storage.remove(other);
  };
  const nameOf = (suffix?: string) => (suffix === undefined ? name : `${name} ${suffix}`);
  await clean();
  try {
    await check({
      storage,
      again: () => device.storage(),
      nameOf,
      open: async (suffix) => {
        const database = await storage.open(nameOf(suffix));
        opened.push(database);
        return database;
      },
    });
  } finally {
    for (const database of opened) await database.close();
    await clean();
  }
}
