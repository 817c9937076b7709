import type { DocumentForm } from './document-form';
import type { Disposition } from '../log/records';
import type { Rejection } from '../protocol/errors';
import { wireOf } from './ledger';
import type { DocumentState } from './plan';
import type { PlannedAnswer, RequestChange } from './plan';

/** What was decided of one change, before it is known whether the request stands. */
export type Decided = Disposition & Pick<PlannedAnswer, 'conflict'>;

export const NOTHING_WRONG = { code: null, error: null } as const;

/** Stands in for an answer while a resolver is asked; the request is planned again then. */
export const WAITING: Decided = {
  ...NOTHING_WRONG,
  status: 'accepted',
  new_version: null,
  server_version: null,
};

export const ID_UNAVAILABLE: Rejection = {
  code: 'id_unavailable',
  message: 'This doc_id cannot be used here; choose another one.',
};

export const MUTATION_ID_REUSED: Rejection = {
  code: 'mutation_id_reused',
  message: 'This mutation_id was used before for another change; give each mutation an id of its own.',
};

/** Field by field: there is one for each change, and spread objects took two thirds of its planning. */
export function answerTo(entry: RequestChange, decided: Decided, replayed: boolean): PlannedAnswer {
  const { status, new_version, server_version, code, error, conflict } = decided;
  const isReady = entry.kind === 'ready';
  const wireId = isReady ? entry.change.wireId : entry.wireId;
  const mutationId = isReady ? (entry.change.mutation?.id ?? null) : entry.mutationId;
  const collection = isReady ? entry.change.collection : null;
  return {
    wireId,
    mutationId,
    collection,
    status,
    new_version,
    server_version,
    code,
    error,
    replayed,
    conflict,
  };
}

export function rejected({ code, message }: Rejection): Disposition {
  return { status: 'rejected', new_version: null, server_version: null, code, error: message };
}

/** A rejection that names the version in the way and shows the document. */
export function conflictRejection(
  code: 'conflict_stale' | 'conflict_deleted',
  current: DocumentState | undefined,
  form: DocumentForm | undefined,
  why?: string,
): Decided {
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

/** The answer to a change of a batch that another change has brought down. */
export function rolledBack({ wireId, mutationId, collection }: PlannedAnswer): PlannedAnswer {
  const message =
    'Another change of this push was rejected, so nothing of it was applied; mend that one and send the push again.';
  return {
    ...rejected({ code: 'batch_rolled_back', message }),
    wireId,
    mutationId,
    collection,
    replayed: false,
  };
}

export function conflictBody(
  state: DocumentState,
  form: DocumentForm | undefined,
): NonNullable<PlannedAnswer['conflict']> {
  return { version: state.version ?? '', deleted: state.deleted, data: wireOf(state, form) };
}

/** The part of an answer that a receipt keeps. */
export function disposition({ status, new_version, server_version, code, error }: Disposition): Disposition {
  return { status, new_version, server_version, code, error };
}
