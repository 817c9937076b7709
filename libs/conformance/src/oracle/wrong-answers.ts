import type { ChangeResult } from '../history';
import { CONFLICT_CODES } from './codes';
import { documentKey, type ScopeIndex } from './scope-index';
import { parentsOf } from './parents';
import { tookEffect, type Sending } from './sendings';

/** What is wrong with the answer to a patch, or to a change of an own mutation's child; null: nothing. */
export function wrongPatch(scope: ScopeIndex, sending: Sending, result: ChangeResult): string | null {
  const { change, push } = sending;
  if (result.replayed || change.flaw !== null) return null;
  const isConflict = result.status === 'conflict_resolved' || CONFLICT_CODES.has(result.code ?? '');
  const against = result.serverVersion;
  const stood = against === null ? undefined : scope.known.get(against)?.sight?.entry;
  if (isConflict && change.operation === 'patch' && setsNothing(sending)) {
    // Against a deletion it may be one.
    const isDeleted = result.code === 'conflict_deleted' || stood?.operation === 'delete';
    if (!isDeleted && stood !== undefined) return 'it only adds, removes and counts, which never conflicts';
  }
  if (isConflict && against !== null && parentsOf(scope, sending).some((parent) => wroteAll(parent, against)))
    return `it is stale against ${against}, which is its own parent`;
  if (result.code === 'document_missing') {
    const first = scope.byDocument.get(documentKey(change.collection, change.docId))?.[0];
    const known = first?.ack?.push.answeredAt ?? Infinity;
    if (first !== undefined && known < push.sentAt) return `the document is there since ${first.version}`;
  }
  return null;
}

/** What is wrong with the document that the answer shows. */
export function wrongDocument(scope: ScopeIndex, sending: Sending, result: ChangeResult): string | null {
  const { serverDocument: shown, newVersion } = result;
  if (sending.change.returns === true && tookEffect(result) && !result.replayed) {
    if (shown === null) return 'it asked for the document, and server_document is missing';
    if (newVersion !== null && shown.version < newVersion)
      return `server_document has ${shown.version}, older than what it wrote`;
  }
  if (shown?.digest === undefined || shown.digest === null) return null;
  const seen = scope.known.get(shown.version)?.sight?.entry;
  if (seen === undefined || seen.docId !== (result.docId ?? sending.change.docId)) return null;
  return seen.digest === shown.digest ? null : `server_document is not what the log has at ${shown.version}`;
}

function setsNothing({ change: { marker, patch } }: Sending): boolean {
  return marker === null && patch?.optional === undefined;
}

/** Whether an own mutation is all that a version holds: a patch leaves what others wrote, and so may a merge. */
function wroteAll({ change, result }: Sending, version: string): boolean {
  return (
    change.operation === 'upsert' &&
    result?.status === 'accepted' &&
    result.seq != null &&
    result.newVersion === version
  );
}
