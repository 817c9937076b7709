import * as fc from 'fast-check';

/** Of each test of a file that imports this: a loaded machine has time for it. */
const TEST_TIMEOUT_MS = 120_000;
const DEFAULT_RUNS = 100;

const factor = positive('FC_RUNS', 1);

jest.setTimeout(TEST_TIMEOUT_MS * Math.max(1, factor));
// Sequences are as long as their maxLength says: by itself fast-check makes ten steps of most.
fc.configureGlobal({ ...runs(DEFAULT_RUNS), defaultSizeToMaxWhenMaxSpecified: true });

/**
 * How often a property is tried. `FC_RUNS=20` tries each twenty times as often and gives the tests the time for it;
 * `FC_SEED` starts all of them from the seed that a failure has named.
 */
export function runs(count: number): { readonly numRuns: number; readonly seed?: number } {
  const numRuns = Math.ceil(count * factor);
  const { FC_SEED: seed } = process.env;
  return seed === undefined ? { numRuns } : { numRuns, seed: Number(seed) };
}

function positive(name: string, otherwise: number): number {
  const given = process.env[name];
  const value = given === undefined || given === '' ? otherwise : Number(given);
  if (!(value > 0)) throw new Error(`${name} must be a positive number`);
  return value;
}
