import type { Patch, RuleMutant } from '../mutant';

/** A broken build of the client. */
export interface ClientMutant extends RuleMutant {
  /** Invariants and rules of docs/client-architecture.md; `row:` a sequence in which an earlier client lost or doubled edits. */
  readonly breaks: readonly string[];
}

/** @param file from libs/client/src on */
export function client(file: string, find: string, replace: string): Patch {
  return { file: `../../client/src/${file}`, find, replace };
}
