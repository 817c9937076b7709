import { isNewer, judge } from '../conflict/judge';
import { mergeFields } from '../conflict/merge';
import { encodeDocument } from '../collections/wire-codec';
import { SYNC_FIELDS } from '../collections/stored-document';
import type { StoredDocument } from '../collections/collection';
import { formatHlc, isTooFarAhead, parseHlc, sendHlc, ZERO_HLC } from '../hlc/hlc';
import type { Disposition } from '../oplog/records';
import type { LogChange } from '../protocol/change';
import type { Rejection } from '../protocol/errors';
import type { JsonObject } from '../protocol/json';
import { Ledger, wireOf, type DocumentState } from './ledger';
import {
  baseText,
  receiptText,
  type BaseNeed,
  type DocumentWrite,
  type HeadMove,
  type Plan,
  type PlanClock,
  type PlannedAnswer,
  type PlanRequest,
  type PlanSnapshot,
  type ReadyChange,
  type RequestOutcome,
  type ResolverNeed,
} from './plan';

/**
 * Decides what a group of pushes does: which documents, entries, receipts and heads are written, and what each change
 * is answered. Pure: the same snapshot, requests and clock give the same plan, so a transaction that has to start
 * again plans again. Keeps invariants 2 (versions above the head), 4 (receipts), 5 (foreign documents are never
 * looked into), 8 (bounded stamps) and 10 (an answer for each change).
 */
export function planPushes(snapshot: PlanSnapshot, requests: readonly PlanRequest[], clock: PlanClock): Plan {
  const ledger = Ledger.over(snapshot);
  const missing = new Map<string, BaseNeed>();
  const outcomes = requests.map((request, index): RequestOutcome => {
    const planning = new RequestPlanning(ledger.layer(), snapshot, request, index, clock, missing);
    const { outcome, stands } = planning.run();
    if (stands) ledger.absorb(planning.layer);
    return outcome;
  });
  return {
    outcomes,
    writes: documentWrites(ledger),
    entries: ledger.entries,
    receipts: [...ledger.receipts.values()],
    heads: headMoves(ledger),
    missingBases: [...missing.values()],
  };
}

/** One request's way through the planner. */
class RequestPlanning {
  /** What this request (or an earlier try of it) has made of a document: the parent of its next change. */
  private readonly lineage = new Map<string, string>();
  /** Documents with an unresolved conflict: later changes of them wait too. */
  private readonly pending = new Set<string>();
  private readonly needs: ResolverNeed[] = [];

  constructor(
    readonly layer: Ledger,
    private readonly snapshot: PlanSnapshot,
    private readonly request: PlanRequest,
    private readonly index: number,
    private readonly clock: PlanClock,
    private readonly missing: Map<string, BaseNeed>,
  ) {}

  run(): { outcome: RequestOutcome; stands: boolean } {
    const answers = this.request.changes.map((entry, index): PlannedAnswer => {
      if (entry.kind === 'ready') return this.answer(entry.change, index);
      return {
        ...rejected(entry.rejection),
        wireId: entry.wireId,
        mutationId: entry.mutationId,
        collection: null,
        replayed: false,
      };
    });
    if (this.needs.length > 0) return { outcome: { kind: 'unresolved', needs: this.needs }, stands: false };
    const rolledBack =
      this.request.atomic === 'batch' && answers.some((answer) => answer.status === 'rejected');
    return {
      outcome: { kind: 'answered', answers: rolledBack ? answers.map(rollBack) : answers },
      stands: !rolledBack,
    };
  }

  /** Replays, decides and, unless it was replayed, keeps a receipt. */
  private answer(change: ReadyChange, index: number): PlannedAnswer {
    const common = {
      wireId: change.wireId,
      mutationId: change.mutation?.id ?? null,
      collection: change.collection,
    };
    const key =
      change.mutation && receiptText(this.request.scopeId, this.request.clientId, change.mutation.id);
    const receipt = key === undefined ? undefined : this.layer.receipt(key);
    if (receipt && change.mutation) {
      if (receipt.hash !== change.mutation.hash) {
        const message =
          'This mutation_id was used before for another change; give each mutation an id of its own.';
        return { ...common, ...rejected({ code: 'mutation_id_reused', message }), replayed: false };
      }
      return { ...common, ...this.replay(receipt, change) };
    }
    const decided = this.decide(change, index);
    if (key !== undefined && change.mutation) {
      this.layer.receipts.set(key, {
        _id: { scope: this.request.scopeId, client: this.request.clientId, mutation: change.mutation.id },
        hash: change.mutation.hash,
        doc_id: change.wireId,
        ...disposition(decided),
        at: new Date(this.clock.wallMs),
      });
    }
    return { ...common, ...decided, replayed: false };
  }

  private replay(
    receipt: Disposition,
    change: ReadyChange,
  ): Disposition & Pick<PlannedAnswer, 'conflict' | 'replayed'> {
    if (receipt.new_version !== null) this.advance(change.key, receipt.new_version);
    const current = this.layer.document(change.key);
    const about = receipt.new_version ?? receipt.server_version;
    // The first answer's document, while it is still the document.
    const known = current !== undefined && current !== 'foreign' && current.scopeId === this.request.scopeId;
    const shown =
      known && receipt.server_version !== null && current.version === about ? shown_(current) : undefined;
    return { ...disposition(receipt), replayed: true, ...(shown ? { conflict: shown } : {}) };
  }

  private decide(change: ReadyChange, index: number): Decided {
    if (change.verdict) return rejected(change.verdict);
    const found = this.layer.document(change.key);
    if (found === 'foreign' || (found && found.scopeId !== this.request.scopeId))
      return rejected({
        code: 'id_unavailable',
        message: 'This doc_id cannot be used here; choose another one.',
      });
    if (change.byServer) return this.write(change, index, found, change.document, 'accepted');
    const refused = this.refuseStamps(change, found);
    if (refused) return rejected(refused);
    if (this.pending.has(change.key)) return WAITING;

    const parent = later(this.lineage.get(change.key) ?? null, change.parent);
    const judgement = judge(found, { operation: change.operation, parent, hlc: change.hlc }, change.rules);
    switch (judgement.kind) {
      case 'accept':
        return this.write(change, index, found, change.document, 'accepted');
      case 'already_deleted':
        if (found?.version) this.advance(change.key, found.version);
        return {
          ...NOTHING_WRONG,
          status: 'accepted',
          new_version: found?.version ?? null,
          server_version: null,
        };
      case 'overrule':
        return this.write(change, index, found, change.document, 'conflict_resolved');
      case 'reject':
        return conflictRejection(judgement.code, found);
      case 'merge':
        return this.merge(change, index, found as DocumentState, parent, judgement.newer);
      case 'resolve':
        return this.resolve(change, index, found as DocumentState, parent);
    }
  }

  private refuseStamps(change: ReadyChange, found: DocumentState | undefined): Rejection | undefined {
    const head = this.layer.head(this.request.scopeId);
    const headMs = (parseHlc(head.version) ?? ZERO_HLC).ms;
    for (const [name, stamp] of [
      ['parent_version', change.parent],
      ['hlc', change.hlc],
    ] as const) {
      const hlc = stamp === null ? undefined : parseHlc(stamp);
      if (hlc && isTooFarAhead(hlc, this.clock.wallMs, headMs, this.clock.maxDriftMs))
        return {
          code: 'clock_drift',
          message: `${name} is further in the future than ${String(this.clock.maxDriftMs)} ms; set the device's clock and send the change again.`,
        };
    }
    if (found && change.parent !== null && change.parent > head.version)
      return {
        code: 'parent_unknown',
        message:
          'parent_version is newer than anything in this scope: it comes from another database. Do a full resync, then send the change again.',
      };
    return undefined;
  }

  private merge(
    change: ReadyChange,
    index: number,
    current: DocumentState,
    parent: string | null,
    newer: 'current' | 'incoming',
  ): Decided {
    const base = this.base(change, parent);
    if (!base) {
      return newer === 'incoming'
        ? this.write(change, index, current, change.document, 'conflict_resolved')
        : conflictRejection('conflict_stale', current);
    }
    const incoming = change.document ?? {};
    const merged = mergeFields(
      base,
      { stored: current.fields, wire: encodeDocument(current.fields) },
      { stored: incoming, wire: encodeDocument(incoming) },
      newer === 'current' ? 'ours' : 'theirs',
    );
    return this.write(change, index, current, merged, 'conflict_resolved');
  }

  /** The document as the client knew it: its newest entry at or below the parent. */
  private base(change: ReadyChange, parent: string | null): JsonObject | null | undefined {
    if (parent === null) return undefined;
    const planned = this.layer.entryData(parent);
    if (planned !== undefined) return planned;
    const text = baseText(change.key, parent);
    if (!this.snapshot.bases.has(text)) {
      const { collection, key, storedId } = change;
      this.missing.set(text, { scopeId: this.request.scopeId, collection, key, storedId, version: parent });
    }
    return this.snapshot.bases.get(text);
  }

  private resolve(
    change: ReadyChange,
    index: number,
    current: DocumentState,
    parent: string | null,
  ): Decided {
    const currentVersion = current.version ?? '';
    const { resolution } = change;
    if (resolution?.currentVersion === currentVersion) {
      if ('rejection' in resolution.outcome)
        return {
          ...rejected(resolution.outcome.rejection),
          server_version: currentVersion,
          conflict: shown_(current),
        };
      return this.write(change, index, current, resolution.outcome.document, 'conflict_resolved');
    }
    this.pending.add(change.key);
    this.needs.push({
      index,
      change,
      current: wireOf(current),
      currentVersion,
      incoming: change.document && encodeDocument(change.document),
      parent,
      base: this.base(change, parent),
    });
    return WAITING;
  }

  /** Draws the next version of the scope and notes entry, document and head. */
  private write(
    change: ReadyChange,
    index: number,
    current: DocumentState | undefined,
    document: StoredDocument | null,
    status: 'accepted' | 'conflict_resolved',
  ): Decided {
    const { scopeId, actorId } = this.request;
    const head = this.layer.head(scopeId);
    const version = change.byServer?.reserved ?? this.nextVersion(head.version);
    const seq = head.seq + 1;
    const stamp = editStamp(change.hlc, current?.stamp ?? null) ?? version;
    const fields = document === null ? {} : keepCreatedAt(document, current, change.rules.createdAtField);
    const state: DocumentState = {
      scopeId,
      version,
      stamp,
      deleted: document === null,
      fields,
      origin: current?.origin ?? { exists: false, version: undefined },
      written: {
        collection: change.collection,
        storedId: change.storedId,
        actorId,
        request: this.index,
        change: index,
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
    this.layer.documents.set(change.key, state);
    this.layer.heads.set(scopeId, { fromSeq: head.fromSeq, version, seq, moved: true });
    this.layer.entries.push({
      scope: scopeId,
      seq,
      version,
      collection: change.collection,
      doc: change.storedId,
      operation: entry.operation,
      actor: actorId,
      at: new Date(this.clock.wallMs),
      wire: JSON.stringify(entry),
    });
    this.advance(change.key, version);
    if (status === 'accepted')
      return { ...NOTHING_WRONG, status, new_version: version, server_version: null };
    return {
      ...NOTHING_WRONG,
      status,
      new_version: version,
      server_version: current?.version ?? null,
      conflict: { version, deleted: state.deleted, data: entry.data },
    };
  }

  private nextVersion(last: string): string {
    return formatHlc(sendHlc(parseHlc(last) ?? ZERO_HLC, this.clock.wallMs, this.clock.node));
  }

  private advance(key: string, version: string): void {
    this.lineage.set(key, later(this.lineage.get(key) ?? null, version) ?? version);
  }
}

type Decided = Disposition & Pick<PlannedAnswer, 'conflict'>;

const NOTHING_WRONG = { code: null, error: null } as const;

/** Stands in for an answer while a resolver is asked; the request is planned again then. */
const WAITING: Decided = { ...NOTHING_WRONG, status: 'accepted', new_version: null, server_version: null };

function rejected({ code, message }: Rejection): Disposition {
  return { status: 'rejected', new_version: null, server_version: null, code, error: message };
}

function conflictRejection(
  code: 'conflict_stale' | 'conflict_deleted',
  current: DocumentState | undefined,
): Decided {
  const message =
    code === 'conflict_stale'
      ? 'The document has a newer version; pull it and edit that.'
      : 'The document was deleted meanwhile, and this collection keeps it deleted.';
  return {
    ...rejected({ code, message }),
    server_version: current?.version ?? null,
    ...(current ? { conflict: shown_(current) } : {}),
  };
}

function rollBack(answer: PlannedAnswer): PlannedAnswer {
  if (answer.status === 'rejected') return { ...answer, replayed: answer.replayed };
  if (answer.replayed) return answer;
  const { wireId, mutationId, collection } = answer;
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

function disposition({ status, new_version, server_version, code, error }: Disposition): Disposition {
  return { status, new_version, server_version, code, error };
}

function shown_(state: DocumentState): NonNullable<PlannedAnswer['conflict']> {
  return { version: state.version ?? '', deleted: state.deleted, data: wireOf(state) };
}

function later(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
}

/** A child is never older than its parent, whatever the device's clock says. Null: the version is the stamp. */
function editStamp(hlc: string | null, current: string | null): string | null {
  if (hlc === null) return null;
  return current === null || isNewer(hlc, current) ? hlc : current;
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

function documentWrites(ledger: Ledger): DocumentWrite[] {
  const writes: DocumentWrite[] = [];
  for (const [key, state] of ledger.documents) {
    const { written, origin } = state;
    if (!written) continue;
    writes.push({
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
      writer: { request: written.request, change: written.change },
    });
  }
  return writes;
}

function headMoves(ledger: Ledger): HeadMove[] {
  const moves: HeadMove[] = [];
  for (const [scopeId, head] of ledger.heads)
    if (head.moved) moves.push({ scopeId, fromSeq: head.fromSeq, version: head.version, seq: head.seq });
  return moves;
}
