import type { JsonObject, Rejection } from 'nest-offline-sync-protocol';
import type { StoredDocument } from '../codec/stored-document';
import { agrees } from './composition';
import { accepted, resolved, standingOf, WAITING } from './decisions';
import type { Settled } from './document-form';
import { isSame, NO_FACTS } from './field-facts';
import { hasStamps } from './judge';
import type { Knowledge } from './knowledge';
import { wireOf } from './ledger';
import { sentBy, type PatchedKnowledge } from './lineage';
import type { Decision, ReadyChange, DocumentState } from './plan';
import { basisOf, type Planning } from './planning';
import { recordWrite } from './recording';
import { differenceOf } from './sent';
import { editStamp } from './stamps';

/** A change, and where it stands in its request. */
export interface Indexed {
  readonly change: ReadyChange;
  readonly index: number;
}

/** Goes on with a document that may be stored; one that the app's validators must see first waits for them. */
export function unless(
  { pending, needs }: Planning,
  { change, index }: Indexed,
  current: StoredDocument | undefined,
  settled: Settled,
  refuse: (rejection: Rejection) => Decision,
  goOn: (document: StoredDocument) => Decision,
): Decision {
  if (settled.ok === true) return goOn(settled.document);
  if (settled.ok === false) return refuse(settled.rejection);
  pending.add(change.key);
  needs.push({ kind: 'verdict', index, change, document: settled.document, current });
  return WAITING;
}

/** Stores a document, and notes what its client knows of it from now on. */
export function write(
  planning: Planning,
  { change, index }: Indexed,
  current: DocumentState | undefined,
  document: StoredDocument | null,
  status: 'accepted' | 'conflict_resolved',
  joins = false,
  patched?: Knowledge,
): Decision {
  const { request, requestIndex, layer, clock } = planning;
  const { form } = change.rules;
  if (document !== null && isWritten(current) && changesNothing(change, current, document)) {
    const knowledge = patched?.(current);
    planning.lineage.stay(change, current.version, joins ? current : 'as sent', knowledge);
    return answer(change, current, current, status, wireOf(current, form), knowledge);
  }
  const basis = basisOf(planning, change.key, current);
  // A whole document of the app's has its times already.
  const isStamped = change.byServer && !change.patch;
  const stamped =
    document === null || !form || isStamped ? document : form.stamp(document, standing(current));
  const writer = { request, requestIndex, change, changeIndex: index };
  const { state, wire, seq } = recordWrite(layer, clock, writer, current, stamped);
  planning.ownBasis.set(change.key, `${basis}+${index}`);
  const knowledge = patched?.(state);
  planning.lineage.advance(change, state.version, joins ? state : 'as sent', knowledge);
  return { ...answer(change, state, current, status, wire, knowledge), seq };
}

/** @param made what clients see of the document; 'as sent': just what was sent */
function answer(
  change: ReadyChange,
  state: Written,
  before: DocumentState | undefined,
  status: 'accepted' | 'conflict_resolved',
  made: JsonObject | null | 'as sent',
  knowledge: PatchedKnowledge | undefined,
): Decision {
  const { form } = change.rules;
  const decision = status === 'accepted' ? accepted(state.version) : resolved(state, before, form);
  const shown = change.returns && status === 'accepted' ? { standing: standingOf(state) } : {};
  if (made === 'as sent' || change.byServer) return { ...decision, ...shown };
  if (change.patch) {
    const kept = change.mutation && knowledge?.kept?.();
    return { ...decision, ...shown, ...(kept === undefined ? {} : { sent: kept }) };
  }
  const given = change.given ?? sentBy(change);
  const isChanged = given === null || made === null ? given !== made : !agrees({}, given, undefined, made);
  const sent = isChanged ? differenceOf(change, made) : undefined;
  return {
    ...decision,
    ...shown,
    ...(isChanged ? { changed: true } : {}),
    ...(sent === undefined ? {} : { sent }),
  };
}

/**
 * An upsert of what stands already has no entry: nobody has anything to learn from it. But for a newer edit stamp, where
 * stamps decide about later conflicts.
 */
function changesNothing(change: ReadyChange, current: Written, document: StoredDocument): boolean {
  const { byServer, hlc, rules } = change;
  if (byServer || current.deleted) return false;
  if (hlc !== null && hasStamps(rules.strategy) && editStamp(hlc, hlc, current.stamp) !== current.stamp)
    return false;
  return isSame(rules.form?.facts ?? NO_FACTS, document, current.fields);
}

type Written = DocumentState & { readonly version: string };

function isWritten(current: DocumentState | undefined): current is Written {
  return current !== undefined && current.version !== null;
}

/** The fields that stand; undefined where there is no document, or a tombstone. */
export function standing(current: DocumentState | undefined): StoredDocument | undefined {
  return current && !current.deleted ? current.fields : undefined;
}
