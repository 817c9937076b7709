import { parsePatch, SyncError, type ByPath, type Json, type PatchBody } from 'nest-offline-sync-protocol';
import { appValues } from '../collections/app-values';
import { notAPlainObject } from '../collections/answers';
import type { Target } from './target';

/** What `tx.patch` does to a document: the parts of a pushed patch. Values are JSON, as devices send them. */
export interface DocumentPatch {
  /** Fields to set, by path (`title`, `address.city`). An object replaces the one that stands there. */
  readonly data?: ByPath<Json>;
  /** Paths of fields to remove. */
  readonly unset?: readonly string[];
  /** Numbers to add, by path. A field that is missing counts as 0. */
  readonly inc?: ByPath<number>;
  /** Values that a list is to hold, each once, by path. A list that is missing counts as an empty one. */
  readonly add?: ByPath<readonly Json[]>;
  /** Values that a list is not to hold, by path. */
  readonly remove?: ByPath<readonly Json[]>;
}

const PARTS = new Set(['data', 'unset', 'inc', 'add', 'remove']);
/** More nesting than any limit of documents allows: what is cut here is refused. */
const DEPTH = 100;

/**
 * The app's patch, checked as a pushed one.
 *
 * @throws SyncError `invalid_patch`, `invalid_data`, `unknown_field`, `unsafe_number`, `forbidden_key` and their like
 */
export function patchOrThrow({ collection }: Target, given: unknown): PatchBody {
  const wrong = notAPlainObject(given);
  if (wrong !== undefined) throw invalid(`the patch must be an object with its parts, not ${wrong}.`);
  const foreign = Object.keys(given as object).find((part) => !PARTS.has(part));
  if (foreign !== undefined)
    throw invalid(
      `${JSON.stringify(foreign)} is no part of a patch; it has data, unset, inc, add and remove.`,
    );
  // Without what is undefined, as JSON would be.
  const { values } = appValues(given as object, DEPTH, undefined);
  const parsed = parsePatch(values, true);
  if (!parsed.ok) throw new SyncError(parsed.code, `patch${parsed.field} ${parsed.problem}.`);
  const checked = collection.checkPatch(parsed.patch);
  if (!checked.ok) throw new SyncError(checked.rejection.code, checked.rejection.message);
  return checked.patch;
}

function invalid(problem: string): SyncError {
  return new SyncError('invalid_patch', problem);
}
