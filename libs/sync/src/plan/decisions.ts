import type { Rejection } from 'nest-offline-sync-protocol';
import type { DocumentForm } from './document-form';
import type { ReceiptRecord } from '../log/records';
import { wireOf } from './ledger';
import type { Decision, DocumentState, Standing } from './plan';

/** Stands in for a decision while the app's code is asked; the request is planned again then. */
export const WAITING: Decision = accepted(null);

export const ID_UNAVAILABLE: Rejection = {
  code: 'id_unavailable',
  message: 'This doc_id cannot be used here; choose another one.',
};

export const DOCUMENT_MISSING: Rejection = {
  code: 'document_missing',
  message: 'There is no document with this id that could be patched; send the whole document as an upsert.',
};

export function accepted(version: string | null): Decision {
  return {
    status: 'accepted',
    new_version: version,
    server_version: null,
    code: null,
    error: null,
    replayed: false,
    conflict: undefined,
  };
}

/** A conflict that the change has won, or that both sides have come out of. */
export function resolved(
  state: DocumentState & { readonly version: string },
  before: DocumentState | undefined,
  form: DocumentForm | undefined,
): Decision {
  const server_version = before?.version ?? null;
  return {
    ...accepted(state.version),
    status: 'conflict_resolved',
    server_version,
    conflict: conflictBody(state, form),
  };
}

export function rejected({ code, message }: Rejection): Decision {
  return {
    status: 'rejected',
    new_version: null,
    server_version: null,
    code,
    error: message,
    replayed: false,
  };
}

/** Another change has the id: the device has to know what became of that one. */
export function mutationIdReused(receipt: ReceiptRecord): Decision {
  const message =
    'This mutation_id was used before for another change, whose answer is first_answer; give each mutation its own id.';
  return { ...rejected({ code: 'mutation_id_reused', message }), first: receipt };
}

/** A rejection that names the version in the way and shows the document. */
export function conflictRejection(
  code: 'conflict_stale' | 'conflict_deleted',
  current: DocumentState | undefined,
  form: DocumentForm | undefined,
  why?: string,
): Decision {
  const message =
    why ??
    (code === 'conflict_stale'
      ? 'The document has a newer version; pull it and edit that.'
      : 'The document was deleted meanwhile, and this collection keeps it deleted.');
  return {
    ...rejected({ code, message }),
    server_version: current?.version ?? null,
    ...(current ? { conflict: conflictBody(current, form) } : {}),
  };
}

/** Of a good change in a batch or a group that failed because of another change. */
export function rolledBack(group: string | undefined): Decision {
  const [where, what] =
    group === undefined
      ? ['this push', 'the push']
      : [`group ${JSON.stringify(group)}`, 'the changes of the group'];
  return rejected({
    code: 'batch_rolled_back',
    message: `Another change of ${where} was rejected, so nothing of it was applied; correct that one under a new mutation_id and send ${what} again, this change under the same mutation_id.`,
  });
}

/** Of a change whose document was touched by a group of the same push that was rolled back. */
export const AFTER_FALLEN_GROUP: Rejection = {
  code: 'parent_refused',
  message:
    'An earlier group of this push changed this document and was rolled back, so this change may hold what was refused; correct that group and send both again.',
};

export function conflictBody(
  state: DocumentState,
  form: DocumentForm | undefined,
): NonNullable<Decision['conflict']> {
  return { version: state.version ?? '', deleted: state.deleted, data: wireOf(state, form) };
}

/** What a receipt keeps of a decision, and what a late duplicate is answered with. */
export function keptAnswer({
  status,
  new_version,
  server_version,
  code,
  error,
  seq,
  changed,
}: Decision | ReceiptRecord): Pick<
  ReceiptRecord,
  'status' | 'new_version' | 'server_version' | 'code' | 'error' | 'seq' | 'changed'
> {
  return {
    status,
    new_version,
    server_version,
    code,
    error,
    ...(seq === undefined ? {} : { seq }),
    ...(changed ? { changed } : {}),
  };
}

/** The first decision again. */
export function replayed(receipt: ReceiptRecord): Decision {
  return { ...keptAnswer(receipt), replayed: true };
}

export function standingOf({ version, deleted, fields }: DocumentState): Standing {
  return { version, deleted, fields };
}
