/**
 * Shows that the conformance check can fail: runs it on deliberately broken builds, and on the unbroken one under the
 * same conditions. Names of mutants as arguments, or `whole`; none: everything. `--repeat=3` repeats all of it,
 * `--verbose` prints what was found.
 *
 * `node -r ./test/support/ts-hook.cjs test/harness/mutants/run.ts [name…]`
 */
import { renderVerdict } from '../../../libs/conformance/src';
import { CONDITIONS, type ConditionName } from './conditions';
import { inLanes } from './lanes';
import { MUTANTS, mutantNamed } from './list';
import type { Mutant } from './mutant';
import { tryMutant, tryWhole, type Outcome } from './trial';

const LANES = 2;

interface Row {
  readonly name: string;
  readonly expected: string;
  readonly run: (mongod: Parameters<typeof tryMutant>[0]) => Promise<Outcome>;
  readonly isRight: (outcome: Outcome) => boolean;
}

async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const names = words.filter((word) => !word.startsWith('--'));
  const repeat = Number(words.find((word) => word.startsWith('--repeat='))?.slice('--repeat='.length) ?? 1);
  const mutants = names.length === 0 ? MUTANTS : names.filter((name) => name !== 'whole').map(mutantNamed);
  const conditions = names.length === 0 || names.includes('whole') ? Object.keys(CONDITIONS) : [];
  const rows = [...conditions.map((name) => wholeRow(name as ConditionName)), ...mutants.map(mutantRow)];
  let wrong = 0;
  for (let time = 1; time <= repeat; time++) {
    const tasks = rows.map((row) => async (mongod: Parameters<Row['run']>[0]) => {
      try {
        const outcome = await row.run(mongod);
        print(row, outcome);
        if (words.includes('--verbose')) console.log(renderVerdict(outcome.verdict));
        if (!row.isRight(outcome)) wrong++;
      } catch (error) {
        wrong++;
        console.log(`${row.name.padEnd(34)} did not run: ${String(error)}`);
      }
    });
    const began = performance.now();
    await inLanes(LANES, tasks).over;
    console.log(`${String(rows.length)} in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  }
  console.log(wrong === 0 ? 'All as expected.' : `${String(wrong)} not as expected.`);
  process.exitCode = wrong === 0 ? 0 : 1;
}

function wholeRow(name: ConditionName): Row {
  return {
    name: `whole, ${name}`,
    expected: 'holds',
    run: (mongod) => tryWhole(mongod, name),
    isRight: ({ found }) => found.length === 0,
  };
}

function mutantRow(mutant: Mutant): Row {
  return {
    name: mutant.name,
    expected: mutant.violates.join(' or '),
    run: (mongod) => tryMutant(mongod, mutant),
    isRight: ({ found }) => mutant.violates.some((invariant) => found.includes(invariant)),
  };
}

function print(row: Row, outcome: Outcome): void {
  const { found, violations, rounds, seconds } = outcome;
  const cells = [
    row.name.padEnd(34),
    `expected ${row.expected}`.padEnd(22),
    `found ${found.join(', ') || 'nothing'}`.padEnd(24),
    `${seconds.toFixed(1)} s`.padStart(7),
    `${String(rounds)} round(s)`,
    `${String(violations)} violations`,
    row.isRight(outcome) ? '' : '  <-- NOT AS EXPECTED',
  ];
  console.log(cells.join('  '));
}

void main();
