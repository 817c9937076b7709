import type { JsonObject, Rejection } from 'nest-offline-sync-protocol';
import type { StoredDocument } from '../codec/stored-document';
import { keepTypes } from './composition';
import {
  accepted,
  conflictBody,
  conflictRejection,
  DOCUMENT_MISSING,
  ID_UNAVAILABLE,
  rejected,
  standingOf,
  WAITING,
} from './decisions';
import { encodeBy } from '../codec/wire-codec';
import type { Checked } from './document-form';
import { judge } from './judge';
import { wireOf } from './ledger';
import { rivalOf, sentBy, type Ancestry } from './lineage';
import { mergeFields } from './merge';
import { knowledgeAfter } from './knowledge';
import { isPatch, onResolved, stepOf, type PatchChange, type PatchMade } from './patching';
import type { Decision, ReadyChange, DocumentState } from './plan';
import { takeParent } from './parent';
import { baseOf, basisOf, type Planning } from './planning';
import { refuseStamps } from './stamps';
import { standing, unless, write, type Indexed } from './storing';

/** What one change does to its document, after the changes before it. */
export function decide(planning: Planning, change: ReadyChange, index: number): Decision {
  const { layer, request, clock, lineage, pending } = planning;
  if (change.verdict) return rejected(change.verdict);
  const stored = layer.document(change.key);
  // What it asks for was done before anything was decided.
  if (change.observed) return accepted(stored !== 'foreign' && stored?.written ? stored.version : null);
  if (stored === 'foreign' || (stored && stored.scopeId !== request.scopeId)) return rejected(ID_UNAVAILABLE);
  const refused = refuseStamps(change, stored, layer.head(request.scopeId), clock);
  if (refused) return rejected(refused);
  const at = { change, index };
  if (change.byServer)
    return isPatch(change)
      ? patch(planning, { change, index }, stored, onWhatStands(stored))
      : write(planning, at, stored, change.document, 'accepted');
  if (pending.has(change.key)) return WAITING;
  const orphaned = takeParent(planning, change);
  if (orphaned) return rejected(orphaned);

  const ancestry = lineage.of(change);
  const found = stored ?? layer.forgotten(request.scopeId, ancestry.parent);
  if (isPatch(change)) return patch(planning, { change, index }, found, ancestry);
  const { operation, hlc, rules } = change;
  const { parent, unseen } = ancestry;
  const judgement = judge(found && rivalOf(found, ancestry), { operation, parent, hlc, unseen }, rules);
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
      return resolve(planning, at, found as DocumentState, ancestry, sentBy(change), (document) =>
        write(planning, at, found, document, 'conflict_resolved', true),
      );
    case 'missing':
      return rejected(DOCUMENT_MISSING);
  }
}

/** The app's own patch is made on the document that its transaction sees. */
function onWhatStands(found: DocumentState | undefined): Ancestry {
  return { parent: found?.version ?? null, unseen: false, sent: undefined };
}

/** A patch, on the document as it stands now: so one that others write at the same time is no reason to start again. */
function patch(
  planning: Planning,
  at: Indexed & { readonly change: PatchChange },
  found: DocumentState | undefined,
  ancestry: Ancestry,
): Decision {
  const step = stepOf(planning, at.change, found, ancestry);
  if (step.kind === 'decided') return step.decision;
  const current = standing(found);
  const store = (status: 'accepted' | 'conflict_resolved', document: StoredDocument | null): Decision => {
    const isResolved = step.kind === 'resolve';
    const knowledge = knowledgeAfter(planning, at.change, found, ancestry, { ...step, isResolved });
    return write(planning, at, found, document, status, true, knowledge);
  };
  const finish = (made: PatchMade, status: 'accepted' | 'conflict_resolved'): Decision => {
    if (made.ok !== 'prepare')
      return unless(planning, at, current, made, rejected, (document) => store(status, document));
    const { wire, touched } = made;
    planning.pending.add(at.change.key);
    planning.needs.push({ kind: 'preparation', index: at.index, change: at.change, wire, touched });
    return WAITING;
  };
  if (step.kind === 'made') return finish(step.made, step.status);
  return resolve(planning, at, found as DocumentState, ancestry, step.incoming, (document) =>
    document === null
      ? store('conflict_resolved', null)
      : finish(onResolved(at.change, document, current), 'conflict_resolved'),
  );
}

function alreadyDeleted(
  { lineage }: Planning,
  change: ReadyChange,
  found: DocumentState | undefined,
): Decision {
  const version = found?.version ?? null;
  if (version !== null) lineage.advance(change, version, 'as sent');
  return { ...accepted(version), ...(change.returns && found ? { standing: standingOf(found) } : {}) };
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

function resolve(
  planning: Planning,
  at: Indexed,
  current: DocumentState,
  ancestry: Ancestry,
  incoming: JsonObject | null,
  finish: (document: StoredDocument | null) => Decision,
): Decision {
  const { change, index } = at;
  const { form } = change.rules;
  const currentVersion = current.version ?? '';
  const basis = basisOf(planning, change.key, current);
  const { resolution } = change;
  if (resolution?.basis === basis) {
    if ('document' in resolution.outcome) return finish(resolution.outcome.document);
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
    incoming,
    parent: ancestry.parent,
    base: baseOf(planning, change, ancestry, current),
  });
  return WAITING;
}
