import { identityText, readField } from '../identity/identity';
import { contentHash, TOMBSTONE_HASH } from '../codec/content-hash';
import type { StoredDocument } from '../codec/stored-document';
import type { Ledger } from './ledger';
import type { DocumentState, PlanRequest, ReadyChange } from './plan';
import type { Observed } from './observed';
import { storedAt, type Planning } from './planning';
import { recordLeave, recordWrite, type Recorded } from './recording';

/** Who is said to have written what came past the engine. */
export const APP_ACTOR = 'app';

type LogReading = Pick<Planning, 'clock' | 'snapshot' | 'missingBases'>;

/** The scope that a document's own field names; undefined: none. */
export function scopeIn(document: StoredDocument, scopeField: string): string | undefined {
  return identityText(readField(document, scopeField));
}

/**
 * Records what was written past the engine, before anything is decided about the documents: so a device meets it as a
 * write of somebody else, and overwrites nothing that nobody has seen. Idempotent: what is recorded already differs from
 * nothing.
 *
 * A push looks at its documents of captured collections; an observed change asks about a document in any collection.
 * What a request does after that does not undo it.
 */
export function recordForeign(ledger: Ledger, requests: readonly PlanRequest[], planning: LogReading): void {
  requests.forEach((request, requestIndex) => {
    request.changes.forEach((change, changeIndex) => {
      if (change.kind === 'refused' || change.verdict || change.byServer) return;
      if (!change.observed && !change.rules.capture) return;
      const found = ledger.document(change.key);
      const of = { request, requestIndex, change, changeIndex };
      if (hasLeft(found, request.scopeId, change.observed)) leave(ledger, of, planning);
      else if (found !== 'foreign' && !found?.written) new Foreign(ledger, planning, of).record(found);
    });
  });
}

function hasLeft(
  found: DocumentState | 'foreign' | undefined,
  scopeId: string,
  observed: Observed | undefined,
): boolean {
  const isHere = found !== 'foreign' && found?.scopeId === scopeId;
  if (isHere || !observed) return false;
  // In no scope, it is taken in here or there.
  const isElsewhere = found === 'foreign' || (found !== undefined && found.scopeId !== '');
  return observed.hasLeft ?? (observed.wasHere === true && isElsewhere);
}

/** A document that somebody else has taken into another scope, before anybody had told this one's log that it is gone. */
function leave(ledger: Ledger, of: Recorded, planning: LogReading): void {
  const change = { ...of.change, byServer: { reserved: undefined } };
  if (!isToldGone(ledger, of, planning)) recordLeave(ledger, planning.clock, { ...of, change });
}

/** Whether the log of the request's scope ends with the delete of the document. */
function isToldGone(
  ledger: Ledger,
  { request: { scopeId }, change }: Recorded,
  planning: LogReading,
): boolean {
  // The same plan may have told it: the comparison of the whole collection sees what the stream of changes sees.
  const planned = ledger.steps.findLast(({ key, state }) => key === change.key && state.scopeId === scopeId);
  return (
    planned?.state.deleted ?? storedAt(planning, change, scopeId, ledger.head(scopeId).committed) === null
  );
}

class Foreign {
  private readonly change: ReadyChange;

  constructor(
    private readonly ledger: Ledger,
    private readonly planning: LogReading,
    private readonly of: Recorded,
  ) {
    this.change = of.change;
  }

  record(found: DocumentState | undefined): void {
    if (!found) {
      if (this.wasDeleted()) this.write(undefined, null);
      return;
    }
    const { scope = null } = found.origin;
    if (scope === null) this.enter(found);
    else if (scope === this.of.request.scopeId) this.compare(found);
  }

  /** Nobody but the app removes a document without leaving a tombstone, unless it was one of the old tombstones. */
  private wasDeleted(): boolean {
    const { observed, parent } = this.change;
    if (observed) {
      // Also one that was replaced as a whole before: then nothing of its scope is in what was deleted.
      const mayBeTold = observed.isGone === true || observed.since !== undefined;
      if (observed.lacksTombstone === true || (mayBeTold && observed.again === true)) return true;
      // It may have left the scope before that, and was seen to be missing before that was recorded.
      return mayBeTold && !isToldGone(this.ledger, this.of, this.planning);
    }
    const { scopeId } = this.of.request;
    return (
      parent !== null &&
      parent <= this.ledger.head(scopeId).version &&
      this.ledger.forgotten(scopeId, parent) === undefined
    );
  }

  /** A document without a scope: the app has made it, or has replaced it as a whole. */
  private enter(found: DocumentState): void {
    const { scopeId } = this.of.request;
    const { observed } = this.change;
    const named = this.scopeNow(found);
    const own = { ...found, scopeId };
    if (observed?.moved && this.hasMoved(named)) this.goOn(own, named);
    else if (observed?.since !== undefined && named !== undefined && named !== scopeId)
      // It was here, and its next change tells where it is.
      this.goOn(own, undefined);
    else if ((named ?? (observed?.since === undefined ? undefined : scopeId)) === scopeId)
      this.write(own, found.fields, 'stamp');
  }

  private compare(found: DocumentState): void {
    const { observed } = this.change;
    const isTombstone = [undefined, TOMBSTONE_HASH].includes(found.origin.hash);
    const isUnrecorded = this.isUnrecorded(found);
    if (found.deleted && isTombstone && !isUnrecorded) return;
    const named = this.scopeNow(found);
    if (observed?.moved && this.hasMoved(named)) this.move(found, named);
    else if (observed?.again === true || isUnrecorded || this.differs(found))
      // What the app may have left in a document that it has marked as deleted is not ours to remove.
      if (found.deleted) this.write(found, null, isUnrecorded ? 'stamp' : undefined);
      else this.write(found, found.fields, 'stamp');
  }

  private isUnrecorded({ version }: DocumentState): boolean {
    return version === this.change.observed?.unrecorded;
  }

  private differs({ deleted, fields, version, origin: { hash } }: DocumentState): boolean {
    const since = this.change.observed?.since;
    if (hash === undefined) return since !== undefined && (version ?? '') <= since;
    const isOlder = since !== undefined && (version ?? '') < since;
    return isOlder || hash !== contentHash(deleted ? null : fields);
  }

  private scopeNow({ fields }: DocumentState): string | undefined {
    const { observed, rules } = this.change;
    const scopeField = observed ? observed.scopeField : rules.capture?.scopeField;
    return scopeField === undefined ? undefined : scopeIn(fields, scopeField);
  }

  /** Whether it is still there where it was seen to go: else its next change tells. */
  private hasMoved(named: string | undefined): boolean {
    return named !== this.of.request.scopeId && named === this.change.observed?.moved?.to;
  }

  /** A move of a document of which the old scope's log may know already that it is gone: the app has replaced it more than once. */
  private goOn(found: DocumentState, to: string | undefined): void {
    if (!isToldGone(this.ledger, this.of, this.planning)) this.move(found, to);
    else if (to !== undefined && !found.deleted)
      this.write({ ...found, scopeId: to }, found.fields, 'stamp', to);
  }

  /** A delete in the old scope and an upsert in the new one; without a new one the document is the app's own again. */
  private move(found: DocumentState, to: string | undefined): void {
    this.write(found, null, 'release');
    const { key } = this.change;
    const left = this.ledger.document(key) as DocumentState;
    if (to === undefined) this.ledger.setDocument(key, { ...left, scopeId: '' });
    else {
      const document = found.deleted ? null : found.fields;
      this.write({ ...left, scopeId: to, version: null, stamp: null }, document, 'stamp', to);
    }
  }

  private write(
    current: DocumentState | undefined,
    document: StoredDocument | null,
    kind?: 'stamp' | 'release',
    scopeId = this.of.request.scopeId,
  ): void {
    const { of, change } = this;
    const actorId = change.observed ? of.request.actorId : APP_ACTOR;
    const foreign: ReadyChange = {
      ...change,
      operation: document === null ? 'delete' : 'upsert',
      document,
      text: undefined,
      patch: undefined,
      content: undefined,
      mutation: undefined,
      parent: current?.version ?? null,
      hlc: null,
      byServer: { reserved: undefined },
    };
    const request = { ...of.request, scopeId, actorId };
    recordWrite(
      this.ledger,
      this.planning.clock,
      { ...of, request, change: foreign },
      current,
      document,
      kind,
    );
  }
}
