/**
 * Shows that the conformance check can fail: runs it on deliberately broken builds, and on the unbroken one under the
 * same conditions. And that each rule of the protocol has a test that can fail: runs the tests of a rule on builds that
 * break it. Names of mutants as arguments, or `whole`, `rules` or `client`; none: everything. `--repeat=3` repeats all of it,
 * `--verbose` prints what was found.
 *
 * `node -r ./test/support/ts-hook.cjs test/harness/mutants/run.ts [name…]`
 */
import { renderVerdict } from '../../../libs/conformance/src';
import { CLIENT } from './client';
import { CONDITIONS, type ConditionName } from './conditions';
import type { EmbeddedMongo } from '../../../libs/embedded-mongo/src';
import { inLanes } from './lanes';
import { MUTANTS, mutantNamed } from './list';
import type { Mutant, RuleMutant } from './mutant';
import { tryRule } from './rule-trial';
import { RULES, ruleNamed } from './rules';
import { tryMutant, tryWhole, type Outcome } from './trial';

const LANES = 2;

interface Row {
  readonly name: string;
  readonly expected: string;
  /** @param mongod undefined: none was started, since no row needs one */
  readonly run: (mongod: EmbeddedMongo | undefined) => Promise<Shown>;
  readonly needsDatabase: boolean;
}

/** What came of a row. */
interface Shown {
  readonly isRight: boolean;
  readonly found: string;
  readonly seconds: number;
  readonly more: string;
  readonly details: () => string;
}

async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const names = words.filter((word) => !word.startsWith('--'));
  const repeat = Number(words.find((word) => word.startsWith('--repeat='))?.slice('--repeat='.length) ?? 1);
  const isAll = names.length === 0;
  const conditions = isAll || names.includes('whole') ? Object.keys(CONDITIONS) : [];
  const single = names.filter((name) => !['whole', 'rules', 'client'].includes(name));
  const specials = [...RULES, ...CLIENT];
  const rows = [
    ...conditions.map((name) => wholeRow(name as ConditionName)),
    ...(isAll ? MUTANTS.map(mutantRow) : []),
    ...(isAll || names.includes('rules') ? RULES.map(ruleRow) : []),
    ...(isAll || names.includes('client') ? CLIENT.map(ruleRow) : []),
    ...single.map((name) =>
      specials.some((rule) => rule.name === name) ? ruleRow(ruleNamed(name)) : mutantRow(mutantNamed(name)),
    ),
  ];
  let wrong = 0;
  for (let time = 1; time <= repeat; time++) {
    const tasks = rows.map((row) => async (mongod: EmbeddedMongo | undefined) => {
      try {
        const shown = await row.run(mongod);
        print(row, shown);
        if (words.includes('--verbose')) console.log(shown.details());
        if (!shown.isRight) wrong++;
      } catch (error) {
        wrong++;
        console.log(`${row.name.padEnd(34)} did not run: ${String(error)}`);
      }
    });
    const began = performance.now();
    if (rows.some((row) => row.needsDatabase)) await inLanes(LANES, tasks).over;
    else await inTurns(tasks);
    console.log(`${String(rows.length)} in ${((performance.now() - began) / 1000).toFixed(0)} s`);
  }
  console.log(wrong === 0 ? 'All as expected.' : `${String(wrong)} not as expected.`);
  process.exitCode = wrong === 0 ? 0 : 1;
}

async function inTurns(tasks: readonly ((mongod: undefined) => Promise<void>)[]): Promise<void> {
  const waiting = [...tasks];
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await next(undefined);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

function wholeRow(name: ConditionName): Row {
  return {
    name: `whole, ${name}`,
    expected: 'holds',
    needsDatabase: true,
    run: async (mongod) => shownOf(await tryWhole(mongod!, name), ({ found }) => found.length === 0),
  };
}

function mutantRow(mutant: Mutant): Row {
  return {
    name: mutant.name,
    expected: mutant.violates.join(' or '),
    needsDatabase: true,
    run: async (mongod) =>
      shownOf(await tryMutant(mongod!, mutant), ({ found }) =>
        mutant.violates.some((invariant) => found.includes(invariant)),
      ),
  };
}

function shownOf(outcome: Outcome, isRight: (outcome: Outcome) => boolean): Shown {
  const { found, violations, rounds, seconds } = outcome;
  return {
    isRight: isRight(outcome),
    found: found.join(', '),
    seconds,
    more: `${String(rounds)} round(s)  ${String(violations)} violations`,
    details: () => renderVerdict(outcome.verdict),
  };
}

function ruleRow(rule: RuleMutant): Row {
  return {
    name: rule.name,
    expected: 'a failure',
    needsDatabase: rule.noticedBy.file.endsWith('.e2e.ts'),
    run: async (mongod) => {
      const { failed, problem, seconds } = await tryRule(rule, mongod?.uri ?? '');
      if (problem !== undefined) throw new Error(problem);
      return {
        isRight: failed.length > 0,
        found: failed.length > 0 ? `${String(failed.length)} failure(s)` : '',
        seconds,
        more: rule.noticedBy.file,
        details: () => failed.map((name) => `  ${name}`).join('\n'),
      };
    },
  };
}

function print(row: Row, { isRight, found, seconds, more }: Shown): void {
  const cells = [
    row.name.padEnd(34),
    `expected ${row.expected}`.padEnd(22),
    `found ${found || 'nothing'}`.padEnd(24),
    `${seconds.toFixed(1)} s`.padStart(7),
    more,
    isRight ? '' : '  <-- NOT AS EXPECTED',
  ];
  console.log(cells.join('  '));
}

void main();
