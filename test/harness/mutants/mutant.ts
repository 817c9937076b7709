import type { InvariantNumber } from '../../../libs/conformance/src';
import type { ConditionName } from './conditions';

/** One place in a source file of the library, and what the broken build has there. */
export interface Patch {
  /** From libs/sync/src on. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** A deliberately broken build of the library: proof that the conformance check can fail. */
export interface Mutant {
  readonly name: string;
  /** The mistake, as somebody might make it. */
  readonly about: string;
  /** The verdict has to name at least one of these. */
  readonly violates: readonly InvariantNumber[];
  /** What has to happen around the build so that the mistake shows. */
  readonly under: ConditionName;
  readonly patches: readonly Patch[];
}

/** A patch no longer fits its source: the mutant has to be rewritten. */
export class StalePatch extends Error {
  override readonly name = 'StalePatch';
}

/** @throws StalePatch when the text to find is not in the source exactly once */
export function applyPatch(source: string, { file, find, replace }: Patch): string {
  const found = source.split(find).length - 1;
  if (found !== 1) throw new StalePatch(`The text of a patch is ${String(found)} times in ${file}:\n${find}`);
  return source.replace(find, () => replace);
}

/** A deliberately broken build that breaks one rule of the protocol: the tests of that rule have to fail. */
export interface RuleMutant extends Pick<Mutant, 'name' | 'about' | 'patches'> {
  /** From the root on: the cheapest test file that notices, and of that the tests whose names match. */
  readonly noticedBy: { readonly file: string; readonly tests: string };
}
