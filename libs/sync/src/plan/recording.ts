import {
  formatHlc,
  parseHlc,
  sendHlc,
  type Hlc,
  type JsonObject,
  type LogChange,
} from 'nest-offline-sync-protocol';
import { contentHash } from '../codec/content-hash';
import { SYNC_FIELDS, type StoredDocument } from '../codec/stored-document';
import { encodeBy } from '../codec/wire-codec';
import type { Ledger } from './ledger';
import type {
  PlannedWrite,
  HeadMove,
  Plan,
  PlanClock,
  PlanRequest,
  ReadyChange,
  DocumentState,
} from './plan';
import { editStamp } from './stamps';

/** Which change of which request is recorded. */
export interface Recorded {
  readonly request: PlanRequest;
  readonly requestIndex: number;
  readonly change: ReadyChange;
  readonly changeIndex: number;
}

/** What was recorded of a write. */
export interface RecordedWrite {
  readonly state: DocumentState & { readonly version: string };
  readonly seq: number;
  /** What clients see of the document; 'as sent': just what was sent. */
  readonly wire: JsonObject | null | 'as sent';
}

/**
 * Draws the next version of the scope (invariant 2: above the head, whatever the wall clock says) and notes document,
 * entry and head in the layer.
 */
export function recordWrite(
  layer: Ledger,
  clock: PlanClock,
  recorded: Recorded,
  current: DocumentState | undefined,
  document: StoredDocument | null,
  kind?: 'stamp' | 'release',
): RecordedWrite {
  const { request, requestIndex, change, changeIndex } = recorded;
  const { scopeId, actorId } = request;
  const drawn = drawVersion(layer, clock, recorded);
  const { version, seq } = drawn;
  const stamp = editStamp(change.hlc, version, current?.stamp ?? null);
  const deleted = document === null;
  const fields = deleted ? {} : document;
  const isAsSent = !deleted && fields === change.document && change.text !== undefined;
  const data = deleted ? null : isAsSent ? 'as sent' : encodeBy(change.rules.form, fields);
  const text = data === 'as sent' ? (change.text ?? '') : JSON.stringify(data);
  const wire = tell(layer, clock, recorded, drawn, { text, deleted, stamp });
  const state = {
    scopeId,
    version,
    stamp,
    deleted,
    fields,
    origin: current?.origin ?? NOT_THERE,
    written: {
      collection: change.collection,
      storedId: change.storedId,
      actorId,
      writer: { request: requestIndex, change: changeIndex },
      chars: wire.length,
      ...(kind ? { kind } : {}),
      ...(change.rules.capture || change.observed ? { hash: contentHash(document) } : {}),
    },
  };
  layer.setDocument(change.key, state);
  layer.steps.push({ key: change.key, state, asSent: document === change.document });
  return { state, seq, wire: data };
}

/** Tells the scope's log of a delete alone: the document itself is somewhere else, and stays as it is. */
export function recordLeave(layer: Ledger, clock: PlanClock, recorded: Recorded): void {
  const drawn = drawVersion(layer, clock, recorded);
  const { version } = drawn;
  tell(layer, clock, recorded, drawn, { text: 'null', deleted: true, stamp: version });
  const { scopeId } = recorded.request;
  const state = { scopeId, version, stamp: version, deleted: true, fields: {}, origin: NOT_THERE };
  layer.steps.push({ key: recorded.change.key, state, asSent: false });
}

const NOT_THERE = { exists: false, version: undefined } as const;

interface Drawn {
  readonly version: string;
  readonly seq: number;
}

/** The next version of the scope: its head has it from here on. */
function drawVersion(layer: Ledger, clock: PlanClock, { request, change }: Recorded): Drawn {
  const head = layer.head(request.scopeId);
  const reserved = change.byServer?.reserved;
  const hlc = (reserved === undefined ? undefined : parseHlc(reserved)) ?? nextHlc(head.hlc, clock);
  const version = reserved ?? formatHlc(hlc);
  const seq = head.seq + 1;
  layer.heads.set(request.scopeId, { ...head, version, hlc, seq, moved: true });
  return { version, seq };
}

/** @returns the entry's text */
function tell(
  layer: Ledger,
  clock: PlanClock,
  { request: { scopeId, actorId, clientId }, change }: Recorded,
  { version, seq }: Drawn,
  { text, deleted, stamp }: { readonly text: string; readonly deleted: boolean; readonly stamp: string },
): string {
  const operation = deleted ? 'delete' : 'upsert';
  const wire = entryText(
    {
      version,
      seq,
      collection: change.collection,
      doc_id: change.wireId,
      operation,
      parent_version: change.parent,
      hlc: stamp === version ? undefined : stamp,
      client_id: change.byServer ? undefined : clientId,
      mutation_id: change.mutation?.id,
    },
    text,
  );
  layer.entries.push({
    scope: scopeId,
    seq,
    version,
    collection: change.collection,
    doc: change.storedId,
    operation,
    actor: actorId,
    at: new Date(clock.wallMs),
    wire,
  });
  return wire;
}

function nextHlc(last: Hlc, clock: PlanClock): Hlc {
  return sendHlc(last, clock.wallMs, clock.node);
}

/** The JSON of a LogChange, its fields in their order, around the JSON that its data has already. */
function entryText(entry: Omit<LogChange, 'data'>, data: string): string {
  const { version, seq, collection, doc_id, operation, parent_version, hlc, client_id, mutation_id } = entry;
  const json = JSON.stringify;
  const before = `{"version":${json(version)},"seq":${seq},"collection":${json(collection)},"doc_id":${json(doc_id)}`;
  const stamp = hlc === undefined ? '' : `,"hlc":${json(hlc)}`;
  const client = client_id === undefined ? '' : `,"client_id":${json(client_id)}`;
  const mutation = mutation_id === undefined ? '' : `,"mutation_id":${json(mutation_id)}`;
  const after = `"parent_version":${json(parent_version)}${stamp}${client}${mutation}}`;
  return `${before},"operation":"${operation}","data":${data},${after}`;
}

/** One write for each document that the plan changed, however often it did: its last state. */
export function plannedWrites(ledger: Ledger): PlannedWrite[] {
  const writes: PlannedWrite[] = [];
  for (const [key, state] of ledger.documents) {
    const { written } = state;
    if (!written) continue;
    writes.push(plannedWrite(key, state, written));
  }
  return writes;
}

/** The write that brings a document, as the transaction has found it, to a state. */
export function plannedWrite(
  key: string,
  state: DocumentState,
  written: NonNullable<DocumentState['written']>,
): PlannedWrite {
  const { origin } = state;
  return {
    scopeId: state.scopeId,
    collection: written.collection,
    key,
    kind: origin.exists ? (written.kind ?? 'replace') : 'insert',
    expectedVersion: origin.version,
    expectedScope: origin.scope === undefined ? state.scopeId : origin.scope,
    ...(origin.copiedFrom === undefined ? {} : { copiedFrom: origin.copiedFrom }),
    document: {
      _id: written.storedId,
      ...state.fields,
      [SYNC_FIELDS.version]: state.version,
      [SYNC_FIELDS.actor]: written.actorId,
      [SYNC_FIELDS.scope]: state.scopeId,
      [SYNC_FIELDS.deleted]: state.deleted,
      ...(state.stamp === state.version ? {} : { [SYNC_FIELDS.hlc]: state.stamp }),
      ...(written.hash === undefined
        ? {}
        : { [SYNC_FIELDS.hash]: written.hash, [SYNC_FIELDS.owner]: written.storedId }),
    },
    chars: written.chars,
    writer: written.writer,
  };
}

/** What earlier changes made of documents that were changed again, by document, oldest first. */
export function earlierWrites({ steps, writes }: Plan): Map<string, PlannedWrite[]> {
  const last = new Map(writes.map(({ key, writer }) => [key, writer]));
  const earlier = new Map<string, PlannedWrite[]>();
  for (const { key, state } of steps) {
    const { written } = state;
    if (!written || written.writer === last.get(key)) continue;
    const write = plannedWrite(key, state, written);
    const same = earlier.get(key);
    if (same) same.push(write);
    else earlier.set(key, [write]);
  }
  return earlier;
}

/** Where each scope's head goes, once a transaction. */
export function headMoves(ledger: Ledger): HeadMove[] {
  const moves: HeadMove[] = [];
  for (const [scopeId, head] of ledger.heads)
    if (head.moved) moves.push({ scopeId, fromSeq: head.fromSeq, version: head.version, seq: head.seq });
  return moves;
}
