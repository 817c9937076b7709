import type { JsonObject } from 'nest-offline-sync-protocol';
import type { ReceiptRecord } from '../log/records';
import { wireOf } from './ledger';
import type { Ancestry, PatchedKnowledge } from './lineage';
import { conflictingPaths, knownAfter } from './patch';
import { knownSides, type PatchChange } from './patching';
import type { DocumentState, ReadyChange } from './plan';
import { baseOf, type Planning } from './planning';
import { keptPatch, type KeptPatch } from './sent';

/** What a client knows after its patch, told once it is known what the patch has left. */
export type Knowledge = (state: DocumentState) => PatchedKnowledge;

/**
 * @param lost fields that the patch did not get to set
 * @param isResolved the app's resolver has made the document: its client has not seen it
 */
export function knowledgeAfter(
  planning: Planning,
  change: PatchChange,
  before: DocumentState | undefined,
  ancestry: Ancestry,
  { lost, isResolved }: { readonly lost: ReadonlySet<string>; readonly isResolved: boolean },
): Knowledge {
  const { patch, rules } = change;
  const { parent, unseen } = ancestry;
  return (state) => {
    const made = wireOf(state, rules.form) ?? undefined;
    // A new document, or one that its sender has seen: what is there now is what the sender knows.
    const sawAll = !isResolved && (!before || before.deleted || (before.version === parent && !unseen));
    const known = (): JsonObject | undefined => {
      if (sawAll || !made) return made;
      const base = baseOf(planning, change, ancestry, before);
      const was = (before && wireOf(before, rules.form)) ?? {};
      return base ? knownAfter(patch, knownSides(rules, base), was, made, lost) : undefined;
    };
    const rivalStamp = ancestry.rivalStamp === undefined ? (before?.stamp ?? null) : ancestry.rivalStamp;
    // What is needed to tell the same later, when this request is gone. Of a patch in a chain that goes on others' work it is not kept.
    const isSimple = !ancestry.sent && ancestry.difference === undefined && ancestry.rivalStamp === undefined;
    const kept = (): string | null | undefined =>
      sawAll
        ? undefined
        : isSimple
          ? keptPatch({ patch, parent, stamp: before?.stamp ?? null, lost: [...lost] })
          : null;
    return { known, made: () => made, parent, rivalStamp, kept };
  };
}

/** Of a patch of an earlier request, by what its receipt has kept. */
export function knowledgeOfReceipt(
  planning: Planning,
  change: ReadyChange,
  version: string,
  { patch, parent, stamp, lost }: KeptPatch,
): PatchedKnowledge {
  const { rules } = change;
  const at = (of: string | null): JsonObject | undefined =>
    baseOf(planning, change, { parent: of, unseen: false, sent: undefined }) ?? undefined;
  const known = (): JsonObject | undefined => {
    const [base, left] = [at(parent), at(version)];
    return base && left
      ? knownAfter(patch, knownSides(rules, base), undefined, left, new Set(lost))
      : undefined;
  };
  return { known, made: () => at(version), parent, rivalStamp: stamp };
}

/** Of a patch that was answered before: the plan or the log has what it was made on and what it has left, or nobody knows. */
export function knowledgeOfReplay(
  planning: Planning,
  change: PatchChange,
  { new_version: version, status }: ReceiptRecord,
): PatchedKnowledge {
  const { patch, rules } = change;
  const ancestry = planning.lineage.of(change);
  const { parent, rivalStamp } = ancestry;
  const own = version === null ? undefined : planning.layer.stateAt(change.key, version);
  const made = (): JsonObject | undefined =>
    (own
      ? wireOf(own, rules.form)
      : baseOf(planning, change, { parent: version, unseen: false, sent: undefined })) ?? undefined;
  const known = (): JsonObject | undefined => {
    const base = baseOf(planning, change, ancestry);
    const left = made();
    if (!base || !left) return undefined;
    // Which fields it did not get to set is not in a receipt.
    const lost = status === 'accepted' ? new Set<string>() : conflictingPaths(patch, undefined, left);
    return knownAfter(patch, knownSides(rules, base), undefined, left, lost);
  };
  return { known, made, parent, rivalStamp };
}
