import type { Rejection } from 'nest-offline-sync-protocol';
import type { StoredDocument } from '../codec/stored-document';
import { accepted, resolved, WAITING } from './decisions';
import type { Settled } from './document-form';
import type { Knowledge } from './knowledge';
import type { Decision, ReadyChange, DocumentState } from './plan';
import { basisOf, type Planning } from './planning';
import { recordWrite } from './recording';

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
  const basis = basisOf(planning, change.key, current);
  const stamped =
    document === null || !form || change.byServer ? document : form.stamp(document, standing(current));
  const writer = { request, requestIndex, change, changeIndex: index };
  const state = recordWrite(layer, clock, writer, current, stamped);
  planning.ownBasis.set(change.key, `${basis}+${index}`);
  planning.lineage.advance(change, state.version, joins ? state : 'as sent', patched?.(state));
  return status === 'accepted' ? accepted(state.version) : resolved(state, current, form);
}

/** The fields that stand; undefined where there is no document, or a tombstone. */
export function standing(current: DocumentState | undefined): StoredDocument | undefined {
  return current && !current.deleted ? current.fields : undefined;
}
