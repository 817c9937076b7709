import { transformSync } from '@swc/core';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INVARIANTS } from '../../../libs/conformance/src';
import { CLIENT } from './client';
import { MUTANTS } from './list';
import { applyPatch, StalePatch, type Mutant } from './mutant';
import { RULES } from './rules';

const SOURCES = join(__dirname, '../../../libs/sync/src');

function broken({ patches }: Pick<Mutant, 'patches'>): Map<string, string> {
  const sources = new Map<string, string>();
  for (const patch of patches) {
    const source = sources.get(patch.file) ?? readFileSync(join(SOURCES, patch.file), 'utf8');
    sources.set(patch.file, applyPatch(source, patch));
  }
  return sources;
}

describe('the broken builds', () => {
  it.each([...MUTANTS, ...RULES, ...CLIENT].map((mutant) => [mutant.name, mutant] as const))(
    '%s: its patches fit the sources of today, and what they make can be compiled',
    (_, mutant) => {
      for (const source of broken(mutant).values())
        expect(() =>
          transformSync(source, { jsc: { parser: { syntax: 'typescript', decorators: true } } }),
        ).not.toThrow();
    },
  );

  it('have unique names, and at least one for each invariant', () => {
    const names = [...MUTANTS, ...RULES, ...CLIENT].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const violates = new Set(MUTANTS.flatMap((mutant) => mutant.violates));
    expect([...violates].sort((a, b) => a - b)).toEqual(Object.keys(INVARIANTS).map(Number));
  });

  it.each([...RULES, ...CLIENT].map(({ name, noticedBy }) => [name, noticedBy] as const))(
    '%s: there are the tests that notice it',
    (_, { file, tests }) => {
      // The parts of a name that are not made of a table.
      const [fixed = ''] = tests.split(/: |\.\*/);
      expect(readFileSync(join(__dirname, '../../..', file), 'utf8')).toContain(fixed);
    },
  );

  it('a patch whose text is missing, or occurs twice, is stale', () => {
    const patch = { file: 'any', find: 'head', replace: '$& tail' };
    expect(() => applyPatch('nothing', patch)).toThrow(StalePatch);
    expect(() => applyPatch('head and head', patch)).toThrow(StalePatch);
    expect(applyPatch('a head', patch)).toBe('a $& tail');
  });
});

describe('the table of invariants in docs/client-architecture.md', () => {
  const page = readFileSync(join(__dirname, '../../../docs/client-architecture.md'), 'utf8');
  const rows = [...page.matchAll(/^\| C(\d+) .*$/gm)].map(([row, number]) => ({
    row,
    number: Number(number),
  }));

  it('has each of C1 to C17 with its test, which is there', () => {
    expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: 17 }, (_, at) => at + 1));
    for (const { row } of rows) {
      const files = [...row.matchAll(/\]\(\.\.\/([^)#]+)\)/g)].map(([, file]) => file!);
      expect(files.length).toBeGreaterThan(0);
      for (const file of files) expect(existsSync(join(__dirname, '../../..', file))).toBe(true);
    }
  });

  it('has a broken build for each of them and for each rule', () => {
    const broken = new Set(CLIENT.flatMap(({ breaks }) => breaks));
    for (const { number } of rows) expect(broken).toContain(`C${String(number)}`);
    for (let rule = 1; rule <= 9; rule++) expect(broken).toContain(`R${String(rule)}`);
  });
});
