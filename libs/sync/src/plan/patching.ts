import {
  isObject,
  type Json,
  type JsonObject,
  type PatchBody,
  type Rejection,
} from 'nest-offline-sync-protocol';
import type { StoredDocument } from '../codec/stored-document';
import { keepTypes } from './composition';
import type { CollectionRules, DocumentLimits } from './conflict';
import { conflictRejection, DOCUMENT_MISSING, rejected } from './decisions';
import { encodeBy } from '../codec/wire-codec';
import type { Settled } from './document-form';
import { judge } from './judge';
import { rivalOf, type Ancestry } from './lineage';
import {
  applyPatch,
  commutingPart,
  conflictingPaths,
  setPaths,
  settingPart,
  withoutPaths,
  type Patched,
  type PatchedSides,
} from './patch';
import { NO_CONTENT, preparationKey, type Decision, type DocumentState, type ReadyChange } from './plan';
import { baseOf, type Planning } from './planning';

export type PatchChange = ReadyChange & { readonly patch: PatchBody };

/** What a patch makes of the document that it meets. */
export type PatchStep =
  | { readonly kind: 'decided'; readonly decision: Decision }
  | {
      readonly kind: 'made';
      readonly made: PatchMade;
      readonly status: 'accepted' | 'conflict_resolved';
      /** Fields that it did not get to set. */
      readonly lost: ReadonlySet<string>;
    }
  /** The app's resolver decides about what it sets. */
  | { readonly kind: 'resolve'; readonly incoming: JsonObject; readonly lost: ReadonlySet<string> };

/** The patched document, once everybody was asked about it. */
export type PatchMade =
  Settled | { readonly ok: 'prepare'; readonly wire: JsonObject; readonly touched: ReadonlySet<string> };

const NONE: ReadonlySet<string> = new Set();
const GONE =
  'The document was deleted meanwhile, and what this patch was made on is not known; send the whole document as an upsert.';

export function isPatch(change: ReadyChange): change is PatchChange {
  return change.patch !== undefined;
}

/** Judges a patch by the fields that it sets, and applies it to the document as it stands now. */
export function stepOf(
  planning: Planning,
  change: PatchChange,
  found: DocumentState | undefined,
  ancestry: Ancestry,
): PatchStep {
  const { patch, rules, hlc } = change;
  const { form } = rules;
  const sides = found && !found.deleted ? sidesOf(rules, found.fields) : undefined;
  const compared = sides && found ? compare(planning, change, found, sides.wire, ancestry) : undefined;
  const conflicts = compared?.conflicts ?? NONE;
  const { parent, unseen } = ancestry;
  const judgement = judge(
    found && rivalOf(found, ancestry),
    { operation: 'patch', parent, hlc, unseen, apart: conflicts.size === 0 },
    rules,
  );
  const stale = (): PatchStep => {
    // Values that are wrong whatever they meet stay wrong when the client has pulled.
    const made = sides && makeOf(change, patch, sides, sides.stored);
    const isWrong = made?.ok === false && made.rejection.code !== 'patch_mismatch';
    return decided(isWrong ? rejected(made.rejection) : conflictRejection('conflict_stale', found, form));
  };
  switch (judgement.kind) {
    case 'accept':
    case 'overrule': {
      if (!sides) return revive(planning, change, found, ancestry);
      const status = judgement.kind === 'accept' ? 'accepted' : 'conflict_resolved';
      return { kind: 'made', made: makeOf(change, patch, sides, sides.stored), status, lost: NONE };
    }
    case 'merge': {
      if (!sides) return stale();
      const isNewer = judgement.newer === 'incoming';
      // Without a base nobody can tell which fields are whose: an older patch has nothing to say then.
      const rest = isNewer ? patch : compared?.hasBase ? withoutPaths(patch, conflicts) : undefined;
      if (!rest) return stale();
      const made = makeOf(change, rest, sides, sides.stored);
      return { kind: 'made', made, status: 'conflict_resolved', lost: isNewer ? NONE : conflicts };
    }
    case 'resolve':
      return toResolve(planning, change, found, ancestry, sides, conflicts);
    case 'reject':
      return judgement.code === 'conflict_stale'
        ? stale()
        : decided(conflictRejection(judgement.code, found, form));
    case 'missing':
    case 'already_deleted':
      return decided(rejected(DOCUMENT_MISSING));
  }
}

/** What a patch adds and removes, on the document that a resolver gave. */
export function onResolved(
  change: PatchChange,
  document: StoredDocument,
  current: StoredDocument | undefined,
): PatchMade {
  const rest = commutingPart(change.patch);
  const patched = applied(change, rest, sidesOf(change.rules, document));
  if (!patched.ok) return patched;
  // The resolver's document was cast and judged; a patch that adds nothing leaves it as it is.
  if (patched.touched.size === 0) return { ok: true, document };
  return settle(change, patched.wire, document, current);
}

interface Compared {
  readonly conflicts: ReadonlySet<string>;
  readonly hasBase: boolean;
}

/** Reads the log for the base only where it matters. */
function compare(
  planning: Planning,
  change: PatchChange,
  found: DocumentState,
  wire: JsonObject,
  ancestry: Ancestry,
): Compared {
  const { patch, rules } = change;
  const facts = rules.form?.facts;
  const isCurrent = found.version === null || (ancestry.parent === found.version && !ancestry.unseen);
  if (isCurrent || setPaths(patch, facts).length === 0) return { conflicts: NONE, hasBase: true };
  const base = baseOf(planning, change, ancestry, found) ?? undefined;
  return { conflicts: conflictingPaths(patch, base, wire, facts), hasBase: base !== undefined };
}

/** A deleted document comes back as its sender had it, patched: a tombstone keeps nothing of it, but the log may. */
function revive(
  planning: Planning,
  change: PatchChange,
  found: DocumentState | undefined,
  ancestry: Ancestry,
): PatchStep {
  const base = baseOf(planning, change, ancestry, found);
  if (!base) return decided(conflictRejection('conflict_deleted', found, change.rules.form, GONE));
  const made = makeOf(change, change.patch, knownSides(change.rules, base), undefined);
  return { kind: 'made', made, status: 'conflict_resolved', lost: NONE };
}

function toResolve(
  planning: Planning,
  change: PatchChange,
  found: DocumentState | undefined,
  ancestry: Ancestry,
  sides: PatchedSides | undefined,
  lost: ReadonlySet<string>,
): PatchStep {
  const base = baseOf(planning, change, ancestry, found);
  const on = base ? knownSides(change.rules, base) : sides;
  if (!on) return decided(conflictRejection('conflict_deleted', found, change.rules.form, GONE));
  const patched = applied(change, settingPart(change.patch), on);
  if (!patched.ok) return decided(rejected(patched.rejection));
  return { kind: 'resolve', incoming: patched.wire, lost };
}

/** @param current what the patched document replaces; undefined: it is a new one */
function makeOf(
  change: PatchChange,
  patch: PatchBody,
  sides: PatchedSides,
  current: StoredDocument | undefined,
): PatchMade {
  const patched = applied(change, patch, sides);
  if (!patched.ok) return patched;
  const { wire, touched } = patched;
  const standing = current && sides.stored;
  if (!change.rules.preparesByApp) return settle(change, wire, standing, current);
  const { preparation } = change;
  if (preparation?.of !== preparationKey(wire, change.rules)) return { ok: 'prepare', wire, touched };
  const { outcome } = preparation;
  return outcome.ok ? settle(change, outcome.wire, standing, current) : outcome;
}

function applied(change: PatchChange, patch: PatchBody, sides: PatchedSides): Patched {
  const { form, limits } = change.rules;
  const schema = form?.rules;
  const castMembers =
    schema &&
    ((wire: JsonObject) => {
      const cast = schema.castWire(change, wire);
      return cast.ok ? cast.document : undefined;
    });
  const patched = applyPatch(patch, sides, form?.facts, castMembers);
  const over = patched.ok && limits ? overLimits(patched.wire, limits) : undefined;
  return over ? { ok: false, rejection: over } : patched;
}

/**
 * The whole document as an upsert of it would be composed and judged.
 *
 * @param standing what its values come from; undefined: all are cast as new ones
 */
function settle(
  change: PatchChange,
  wire: JsonObject,
  standing: StoredDocument | undefined,
  current: StoredDocument | undefined,
): Settled {
  const { rules, content = NO_CONTENT } = change;
  const { form } = rules;
  if (!form) return { ok: true, document: keepTypes(wire, standing) };
  const cast = form.rules
    ? form.rules.castWire(change, wire)
    : ({ ok: true, document: wire, problems: [] } as const);
  if (!cast.ok) return cast;
  const { document, problems } = cast;
  const composed = standing
    ? form.compose(document, { sent: wire, problems, verdicts: [] }, standing)
    : asNew(document, problems[0]?.rejection);
  return composed.ok ? form.verify(change, composed.document, content, current) : composed;
}

function asNew(document: StoredDocument, rejection: Rejection | undefined) {
  return rejection ? ({ ok: false, rejection } as const) : ({ ok: true, document } as const);
}

function sidesOf({ form }: CollectionRules, stored: StoredDocument): PatchedSides {
  return { stored, wire: encodeBy(form, stored) };
}

/** A document of the log, with its values as they would be stored. */
export function knownSides({ form }: CollectionRules, wire: JsonObject): PatchedSides {
  return { stored: form?.rules ? form.rules.revive(wire) : wire, wire };
}

function overLimits(wire: JsonObject, { maxDepth, maxDocumentBytes }: DocumentLimits): Rejection | undefined {
  if (!isWithin(wire, maxDepth))
    return {
      code: 'too_deep',
      message: `The patched document would be nested deeper than ${maxDepth} levels.`,
    };
  const bytes = Buffer.byteLength(JSON.stringify(wire));
  return bytes <= maxDocumentBytes
    ? undefined
    : {
        code: 'document_too_large',
        message: `The patched document would have ${bytes} bytes as JSON, more than the limit of ${maxDocumentBytes}; split it, or raise limits.maxDocumentBytes.`,
      };
}

function isWithin(value: Json, depth: number): boolean {
  if (!isObject(value) && !Array.isArray(value)) return true;
  if (depth === 0) return false;
  const items: readonly Json[] = Array.isArray(value) ? value : Object.values(value);
  return items.every((item) => isWithin(item, depth - 1));
}

function decided(decision: Decision): PatchStep {
  return { kind: 'decided', decision };
}
