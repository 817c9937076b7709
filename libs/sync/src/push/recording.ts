import type { StoredDocument } from '../collections/collection';
import { formatHlc, parseHlc, sendHlc, ZERO_HLC } from '../hlc/hlc';
import type { LogChange } from '../protocol/change';
import { wireOf, type DocumentState, type Ledger } from './ledger';
import type { PlanClock, PlanRequest, ReadyChange } from './plan';
import { editStamp } from './stamps';

/** Which change of which request writes. */
export interface Writer {
  readonly request: PlanRequest;
  readonly requestIndex: number;
  readonly change: ReadyChange;
  readonly changeIndex: number;
}

/**
 * Draws the next version of the scope (invariant 2: above the head, whatever the wall clock says) and notes document,
 * entry and head in the layer.
 */
export function recordWrite(
  layer: Ledger,
  clock: PlanClock,
  { request, requestIndex, change, changeIndex }: Writer,
  current: DocumentState | undefined,
  document: StoredDocument | null,
): DocumentState & { readonly version: string } {
  const { scopeId, actorId } = request;
  const head = layer.head(scopeId);
  const version = change.byServer?.reserved ?? nextVersion(head.version, clock);
  const seq = head.seq + 1;
  const stamp = editStamp(change.hlc, version, current?.stamp ?? null);
  const state = {
    scopeId,
    version,
    stamp,
    deleted: document === null,
    fields: document === null ? {} : keepCreatedAt(document, current, change.rules.createdAtField),
    origin: current?.origin ?? { exists: false, version: undefined },
    written: {
      collection: change.collection,
      storedId: change.storedId,
      actorId,
      request: requestIndex,
      change: changeIndex,
    },
  };
  const entry: LogChange = {
    version,
    seq,
    collection: change.collection,
    doc_id: change.wireId,
    operation: state.deleted ? 'delete' : 'upsert',
    data: wireOf(state),
    parent_version: change.parent,
    ...(stamp === version ? {} : { hlc: stamp }),
  };
  layer.setDocument(change.key, state);
  layer.heads.set(scopeId, { ...head, version, seq, moved: true });
  layer.entries.push({
    scope: scopeId,
    seq,
    version,
    collection: change.collection,
    doc: change.storedId,
    operation: entry.operation,
    actor: actorId,
    at: new Date(clock.wallMs),
    wire: JSON.stringify(entry),
  });
  return state;
}

function nextVersion(last: string, clock: PlanClock): string {
  return formatHlc(sendHlc(parseHlc(last) ?? ZERO_HLC, clock.wallMs, clock.node));
}

function keepCreatedAt(
  document: StoredDocument,
  current: DocumentState | undefined,
  field: string | undefined,
): StoredDocument {
  if (field === undefined || !current || current.deleted || current.fields[field] === undefined)
    return document;
  return { ...document, [field]: current.fields[field] };
}
