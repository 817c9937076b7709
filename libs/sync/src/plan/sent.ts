import type { JsonObject, PatchBody } from 'nest-offline-sync-protocol';
import { agrees } from './composition';
import { joinsSides } from './judge';
import { sentBy } from './lineage';
import type { ReadyChange } from './plan';

/** How many characters a receipt may keep of what was sent. */
const MOST_CHARS = 32_768;

interface Difference {
  readonly set: JsonObject;
  readonly unset: readonly string[];
}

/**
 * What has to be kept of a change to know later what its client had sent.
 *
 * @param made what the server has made of it
 * @returns undefined: nothing, since a later change is not merged from it, or it says the same; null: too much
 */
export function differenceOf(change: ReadyChange, made: JsonObject | null): string | null | undefined {
  const { strategy, form } = change.rules;
  if (!joinsSides(strategy) && !form?.rules?.hasSetters) return undefined;
  const sent = sentBy(change);
  if (sent === null || made === null)
    return sent === made ? undefined : bounded(JSON.stringify(sent && { set: sent, unset: [] }));
  if (agrees(form?.facts ?? {}, sent, change.document, made)) return undefined;
  const set = Object.entries(sent).filter(
    ([key, value]) => !Object.hasOwn(made, key) || !agrees({}, value, undefined, made[key]),
  );
  const unset = Object.keys(made).filter((key) => !Object.hasOwn(sent, key));
  return bounded(JSON.stringify({ set: Object.fromEntries(set), unset } satisfies Difference));
}

/** What has to be kept of a patch to know later what its client knew after it. */
export interface KeptPatch {
  readonly patch: PatchBody;
  /** What it was judged by: its parent, and the edit stamp of the document that it met. */
  readonly parent: string | null;
  readonly stamp: string | null;
  /** Fields that it did not get to set. */
  readonly lost: readonly string[];
}

export function keptPatch(kept: KeptPatch): string | null {
  return bounded(JSON.stringify(kept));
}

/** Undefined: what is kept is of no patch. */
export function patchIn(text: string): KeptPatch | undefined {
  const parsed = JSON.parse(text) as Partial<KeptPatch> | null;
  return parsed?.patch ? (parsed as KeptPatch) : undefined;
}

function bounded(text: string): string | null {
  return text.length <= MOST_CHARS ? text : null;
}

/** What a client had sent, from what the server made of it; undefined when the log has that no more. */
export function rebuilt(
  made: JsonObject | null | undefined,
  difference: string,
): JsonObject | null | undefined {
  if (made === undefined) return undefined;
  const parsed = JSON.parse(difference) as Difference | null;
  if (!parsed) return null;
  const gone = new Set(parsed.unset);
  const kept = Object.entries(made ?? {}).filter(
    ([key]) => !gone.has(key) && !Object.hasOwn(parsed.set, key),
  );
  return Object.fromEntries([...kept, ...Object.entries(parsed.set)]);
}
