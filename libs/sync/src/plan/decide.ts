import type { StoredDocument } from '../codec/stored-document';
import type { Rejection } from '../protocol/errors';
import type { JsonObject } from '../protocol/json';
import { agrees, keepTypes } from './composition';
import { isSame, NO_FACTS } from './field-facts';
import {
  accepted,
  conflictBody,
  conflictRejection,
  ID_UNAVAILABLE,
  rejected,
  resolved,
  standingOf,
  WAITING,
} from './decisions';
import { encodeBy, type Settled, type Checked } from './document-form';
import { hasStamps, judge } from './judge';
import { wireOf } from './ledger';
import { sentBy, type Ancestry } from './lineage';
import { mergeFields } from './merge';
import type { Decision, ReadyChange, DocumentState } from './plan';
import { takeParent } from './parent';
import { differenceOf } from './sent';
import { baseOf, basisOf, type Planning } from './planning';
import { recordWrite } from './recording';
import { editStamp, refuseStamps } from './stamps';

/** A change, and where it stands in its request. */
interface Indexed {
  readonly change: ReadyChange;
  readonly index: number;
}

/** What one change does to its document, after the changes before it. */
export function decide(planning: Planning, change: ReadyChange, index: number): Decision {
  const { layer, request, clock, lineage, pending } = planning;
  if (change.verdict) return rejected(change.verdict);
  const found = layer.document(change.key);
  if (found === 'foreign' || (found && found.scopeId !== request.scopeId)) return rejected(ID_UNAVAILABLE);
  const refused = refuseStamps(change, found, layer.head(request.scopeId), clock);
  if (refused) return rejected(refused);
  const at = { change, index };
  if (change.byServer) return write(planning, at, found, change.document, 'accepted');
  if (pending.has(change.key)) return WAITING;
  const orphaned = takeParent(planning, change);
  if (orphaned) return rejected(orphaned);

  const ancestry = lineage.of(change);
  const { operation, hlc, rules } = change;
  const { parent, unseen } = ancestry;
  const judgement = judge(found, { operation, parent, hlc, unseen }, rules);
  switch (judgement.kind) {
    case 'accept':
      return take(planning, at, found, ancestry, 'accepted');
    case 'already_deleted':
      return alreadyDeleted(planning, change, found);
    case 'overrule':
      return take(planning, at, found, ancestry, 'conflict_resolved');
    case 'reject':
      // Data that is wrong whatever it meets stays wrong when the client has pulled.
      return refusal(change, found) ?? conflictRejection(judgement.code, found, rules.form);
    case 'merge':
      return merge(planning, at, found as DocumentState, ancestry, judgement.newer);
    case 'resolve':
      return resolve(planning, at, found as DocumentState, ancestry);
  }
}

function alreadyDeleted(
  { lineage }: Planning,
  change: ReadyChange,
  found: DocumentState | undefined,
): Decision {
  const version = found?.version ?? null;
  if (version !== null) lineage.advance(change, version, 'as sent');
  return accepted(version);
}

/** The change as it came, on the document that it meets. */
function take(
  planning: Planning,
  at: Indexed,
  current: DocumentState | undefined,
  ancestry: Ancestry,
  status: 'accepted' | 'conflict_resolved',
): Decision {
  const { change } = at;
  const { document, content, rules } = change;
  const stands = standing(current);
  if (document === null || !content || !rules.form)
    return write(planning, at, current, document && keepTypes(document, stands), status);
  const base = echoed(planning, change, current, ancestry);
  const settled = rules.form.settle(change, document, content, stands, base);
  return unless(planning, at, stands, settled, rejected, (made) =>
    write(planning, at, current, made, status),
  );
}

function refusal(change: ReadyChange, current: DocumentState | undefined): Decision | undefined {
  const { document, content, rules } = change;
  if (document === null || !content || !rules.form) return undefined;
  const settled = rules.form.settle(change, document, content, standing(current));
  return settled.ok === false ? rejected(settled.rejection) : undefined;
}

/** The base of a document whose setters would take a stored value that comes back for a new one. */
function echoed(
  planning: Planning,
  change: ReadyChange,
  current: DocumentState | undefined,
  ancestry: Ancestry,
): JsonObject | null | undefined {
  const needsBase = change.rules.form?.rules?.hasSetters && ancestry.parent !== current?.version;
  return needsBase && current && !ancestry.sent ? baseOf(planning, change, ancestry, current) : undefined;
}

function merge(
  planning: Planning,
  at: Indexed,
  current: DocumentState,
  ancestry: Ancestry,
  newer: 'current' | 'incoming',
): Decision {
  const { change } = at;
  const base = baseOf(planning, change, ancestry, current);
  const { form } = change.rules;
  if (!base) {
    return newer === 'incoming'
      ? take(planning, at, current, ancestry, 'conflict_resolved')
      : conflictRejection('conflict_stale', current, form);
  }
  const composed = composedOf(change, current, base);
  if (!composed.ok) return rejected(composed.rejection);
  const theirs = composed.document;
  const merged = mergeFields(
    base,
    { stored: current.fields, wire: encodeBy(form, current.fields) },
    { stored: theirs, wire: encodeBy(form, theirs), sent: sentBy(change) ?? {} },
    newer === 'current' ? 'ours' : 'theirs',
    form?.facts,
  );
  const writeJoined = (made: StoredDocument): Decision =>
    write(planning, at, current, made, 'conflict_resolved', true);
  if (!form || !change.content) return writeJoined(merged);
  const whole = form.withHidden(merged, current.fields);
  const settled = form.verify(change, whole, change.content, current.fields);
  const refuse = ({ message }: Rejection): Decision =>
    conflictRejection(
      'conflict_stale',
      current,
      form,
      `Both sides together make a document that is not valid (${message}) Pull it and edit that.`,
    );
  return unless(planning, at, current.fields, settled, refuse, writeJoined);
}

function composedOf(change: ReadyChange, current: DocumentState, base: JsonObject): Checked {
  const { document, content, rules } = change;
  if (document === null || !content || !rules.form)
    return { ok: true, document: keepTypes(document ?? {}, current.fields) };
  return rules.form.compose(document, content, current.fields, base);
}

/** Goes on with a document that may be stored; one that the app's validators must see first waits for them. */
function unless(
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

function resolve(planning: Planning, at: Indexed, current: DocumentState, ancestry: Ancestry): Decision {
  const { change, index } = at;
  const { form } = change.rules;
  const currentVersion = current.version ?? '';
  const basis = basisOf(planning, change.key, current);
  const { resolution } = change;
  if (resolution?.basis === basis) {
    if ('document' in resolution.outcome)
      return write(planning, at, current, resolution.outcome.document, 'conflict_resolved', true);
    return {
      ...rejected(resolution.outcome.rejection),
      server_version: currentVersion,
      conflict: conflictBody(current, form),
    };
  }
  planning.pending.add(change.key);
  planning.needs.push({
    kind: 'resolver',
    index,
    change,
    current: wireOf(current, form),
    stored: standing(current),
    currentVersion,
    basis,
    incoming: sentBy(change),
    parent: ancestry.parent,
    base: baseOf(planning, change, ancestry, current),
  });
  return WAITING;
}

function write(
  planning: Planning,
  { change, index }: Indexed,
  current: DocumentState | undefined,
  document: StoredDocument | null,
  status: 'accepted' | 'conflict_resolved',
  joins = false,
): Decision {
  const { request, requestIndex, layer, clock } = planning;
  const { form } = change.rules;
  if (document !== null && isWritten(current) && changesNothing(change, current, document)) {
    planning.lineage.advance(change, current.version, joins ? current : 'as sent');
    return answer(change, current, current, status, wireOf(current, form));
  }
  const basis = basisOf(planning, change.key, current);
  const stamped =
    document === null || !form || change.byServer ? document : form.stamp(document, standing(current));
  const writer = { request, requestIndex, change, changeIndex: index };
  const { state, wire, seq } = recordWrite(layer, clock, writer, current, stamped);
  planning.ownBasis.set(change.key, `${basis}+${index}`);
  planning.lineage.advance(change, state.version, joins ? state : 'as sent');
  return { ...answer(change, state, current, status, wire), seq };
}

/** @param made what clients see of the document; 'as sent': just what was sent */
function answer(
  change: ReadyChange,
  state: Written,
  before: DocumentState | undefined,
  status: 'accepted' | 'conflict_resolved',
  made: JsonObject | null | 'as sent',
): Decision {
  const { form } = change.rules;
  const decision = status === 'accepted' ? accepted(state.version) : resolved(state, before, form);
  const shown = change.returns && status === 'accepted' ? { standing: standingOf(state) } : {};
  if (made === 'as sent' || change.byServer) return { ...decision, ...shown };
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
function standing(current: DocumentState | undefined): StoredDocument | undefined {
  return current && !current.deleted ? current.fields : undefined;
}
