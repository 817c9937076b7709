import { SYNC_FIELDS } from '../codec/stored-document';
import type { Ledger } from './ledger';
import type { DocumentState } from './plan';
import type { DocumentWrite, HeadMove, Plan } from './plan';

/** One write for each document that the plan changed, however often it did: its last state. */
export function documentWrites(ledger: Ledger): DocumentWrite[] {
  const writes: DocumentWrite[] = [];
  for (const [key, state] of ledger.documents) {
    const { written } = state;
    if (!written) continue;
    writes.push(documentWrite(key, state, written));
  }
  return writes;
}

/** The write that brings a document, as the transaction has found it, to a state. */
export function documentWrite(
  key: string,
  state: DocumentState,
  written: NonNullable<DocumentState['written']>,
): DocumentWrite {
  const { origin } = state;
  return {
    scopeId: state.scopeId,
    collection: written.collection,
    key,
    kind: origin.exists ? 'replace' : 'insert',
    expectedVersion: origin.version,
    document: {
      _id: written.storedId,
      ...state.fields,
      [SYNC_FIELDS.version]: state.version,
      [SYNC_FIELDS.actor]: written.actorId,
      [SYNC_FIELDS.scope]: state.scopeId,
      [SYNC_FIELDS.deleted]: state.deleted,
      ...(state.stamp === state.version ? {} : { [SYNC_FIELDS.hlc]: state.stamp }),
    },
    chars: written.chars,
    writer: written.writer,
  };
}

/** What earlier changes made of documents that were changed again, by document, oldest first. */
export function earlierWrites({ steps, writes }: Plan): Map<string, DocumentWrite[]> {
  const last = new Map(writes.map(({ key, writer }) => [key, writer]));
  const earlier = new Map<string, DocumentWrite[]>();
  for (const { key, state } of steps) {
    const { written } = state;
    if (!written || written.writer === last.get(key)) continue;
    const write = documentWrite(key, state, written);
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
