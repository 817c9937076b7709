import { transformSync } from '@swc/core';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INVARIANTS } from '../../../libs/conformance/src';
import { MUTANTS } from './list';
import { applyPatch, StalePatch, type Mutant } from './mutant';

const SOURCES = join(__dirname, '../../../libs/sync/src');

function broken({ patches }: Mutant): Map<string, string> {
  const sources = new Map<string, string>();
  for (const patch of patches) {
    const source = sources.get(patch.file) ?? readFileSync(join(SOURCES, patch.file), 'utf8');
    sources.set(patch.file, applyPatch(source, patch));
  }
  return sources;
}

describe('the broken builds', () => {
  it.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    '%s: its patches fit the sources of today, and what they make can be compiled',
    (_, mutant) => {
      for (const source of broken(mutant).values())
        expect(() =>
          transformSync(source, { jsc: { parser: { syntax: 'typescript', decorators: true } } }),
        ).not.toThrow();
    },
  );

  it('have unique names, and at least one for each invariant', () => {
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    const violates = new Set(MUTANTS.flatMap((mutant) => mutant.violates));
    expect([...violates].sort((a, b) => a - b)).toEqual(Object.keys(INVARIANTS).map(Number));
  });

  it('a patch whose text is missing, or occurs twice, is stale', () => {
    const patch = { file: 'any', find: 'head', replace: '$& tail' };
    expect(() => applyPatch('nothing', patch)).toThrow(StalePatch);
    expect(() => applyPatch('head and head', patch)).toThrow(StalePatch);
    expect(applyPatch('a head', patch)).toBe('a $& tail');
  });
});
