import { dataPath, type PatchBody, type Rejection } from 'nest-offline-sync-protocol';
import { setField } from '../codec/stored-document';
import type { DocumentLimits } from '../plan/conflict';
import { dropFields, factsOf, findHidden, isHidden, NO_FACTS, type FieldFacts } from '../plan/field-facts';
import { checkDocument } from './document-rules';

/** What a collection says of the names and values in a patch. */
export interface PatchRules {
  readonly limits: DocumentLimits;
  /** What never leaves the server, and so is nothing that a client can name. */
  readonly facts: FieldFacts | undefined;
  readonly unknownFields: 'reject' | 'strip';
}

export type CheckedPatch =
  { readonly ok: true; readonly patch: PatchBody } | { readonly ok: false; readonly rejection: Rejection };

/**
 * Checks what a patch names and holds as {@link checkDocument} checks a document: keys, nesting, texts, numbers. Hidden fields
 * are unknown to clients: one that is named is refused, or left out.
 */
export function checkPatch(
  patch: PatchBody,
  { limits, facts = NO_FACTS, unknownFields }: PatchRules,
): CheckedPatch {
  const named = namedFields(patch);
  const rejection = checkDocument(named, limits);
  if (rejection) return { ok: false, rejection };
  const hidden = findHidden(facts, named);
  if (!hidden) return { ok: true, patch };
  if (unknownFields === 'strip') return { ok: true, patch: withoutHidden(patch, facts) };
  return {
    ok: false,
    rejection: {
      code: 'unknown_field',
      message: `${dataPath(hidden)} is not a field that clients write: remove it.`,
    },
  };
}

/** The patch without the hidden fields that it names, and without those inside of its values. */
function withoutHidden({ set, unset, inc, add, remove }: PatchBody, facts: FieldFacts): PatchBody {
  const isSeen = (path: string): boolean => {
    let of = facts;
    return path.split('.').every((step) => !isHidden((of = factsOf(of, step))));
  };
  const seen = <T>(part: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(
      Object.entries(part)
        .filter(([path]) => isSeen(path))
        .map(([path, value]) => {
          const copy = structuredClone(value);
          dropFields(path.split('.').reduce(factsOf, facts), copy, isHidden);
          return [path, copy];
        }),
    );
  return {
    set: seen(set),
    unset: unset.filter(isSeen),
    inc: seen(inc),
    add: seen(add),
    remove: seen(remove),
  };
}

/** A document that has all fields that the patch names, with the values that it gives for them. */
function namedFields({ set, unset, inc, add, remove }: PatchBody): object {
  const root: Record<string, unknown> = {};
  const put = (path: string, value: unknown): void => {
    const steps = path.split('.');
    let place = root;
    for (const step of steps.slice(0, -1)) {
      if (!Object.hasOwn(place, step)) setField(place, step, {});
      place = place[step] as Record<string, unknown>;
    }
    setField(place, steps.at(-1) ?? '', value);
  };
  for (const part of [set, inc, add, remove]) for (const path of Object.keys(part)) put(path, part[path]);
  for (const path of unset) put(path, null);
  return root;
}
