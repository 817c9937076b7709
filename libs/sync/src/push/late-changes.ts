import { SyncError, type Rejection } from 'nest-offline-sync-protocol';
import { targetOf, type PlanRequest, type PreparedChange } from '../plan/plan';

/** What was waited for when the time for the app's code was over. */
export interface Lateness {
  readonly limitMs: number;
  /** Such as "the transform of collection notes". */
  readonly waitedFor: string;
}

/** Leaves no receipt: the change was not decided, and is sent again. */
export function lateRejection({ limitMs, waitedFor }: Lateness): Rejection {
  return {
    code: 'preparation_timeout',
    message: `The server was not done with this change within prepareTimeoutMs (${limitMs} ms), and waited for ${waitedFor}; send it again.`,
  };
}

/** For a push that stands or falls as a whole. */
export function lateBatch({ limitMs, waitedFor }: Lateness, done: number, of: number): SyncError {
  return new SyncError(
    'preparation_timeout',
    `The server was done with ${done} of ${of} changes within prepareTimeoutMs (${limitMs} ms), and waited for ${waitedFor}. Nothing was applied: send at most ${Math.max(1, done)} in one push.`,
    { retryAfterSeconds: 1 },
  );
}

/**
 * The changes that cannot be taken now: the late ones, and later ones of the same documents, which would overtake them.
 *
 * @param documentOf names a change's document; undefined when it has none
 */
export function withTheirChildren(
  late: ReadonlySet<number>,
  count: number,
  documentOf: (index: number) => string | undefined,
): Set<number> {
  const all = new Set<number>();
  const documents = new Set<string>();
  for (let index = 0; index < count; index++) {
    const document = documentOf(index);
    if (!late.has(index) && (document === undefined || !documents.has(document))) continue;
    all.add(index);
    if (document !== undefined) documents.add(document);
  }
  return all;
}

/** The request without those of its changes whose resolver was late. */
export function withoutLate(
  request: PlanRequest,
  late: ReadonlySet<number>,
  rejection: Rejection,
): PlanRequest {
  const { changes } = request;
  const keyAt = (index: number): string | undefined => {
    const change = changes[index];
    return change?.kind === 'ready' ? change.key : undefined;
  };
  const all = withTheirChildren(late, changes.length, keyAt);
  return {
    ...request,
    changes: changes.map((change, index) => (all.has(index) ? refuse(change, rejection) : change)),
  };
}

function refuse(change: PreparedChange, rejection: Rejection): PreparedChange {
  if (change.kind === 'refused') return change;
  const { wireId, mutation, group } = change;
  return {
    kind: 'refused',
    target: targetOf(change),
    ...(group === undefined ? {} : { group }),
    wireId,
    mutationId: mutation?.id ?? null,
    ...(mutation ? { mutation } : {}),
    rejection,
  };
}
