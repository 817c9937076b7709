import {
  formatHlc,
  isObject,
  parseHlc,
  ZERO_VERSION,
  type DocId,
  type ErrorCode,
  type FullLine,
  type JsonObject,
  type LogChange,
  type PatchBody,
  type PullResponse,
  type PushResult,
  type ServerDocument,
} from 'nest-offline-sync-protocol';
import { patched } from '../rules/fields.ts';

/** A change as it travels. */
export type PushedChange = Readonly<Record<string, unknown>> & {
  readonly collection: string;
  readonly doc_id: DocId;
};

/** Which change of a push the server refuses, and why. Undefined: it is taken. */
export type Refusal = (change: PushedChange) => ErrorCode | undefined;

export type FakeConflict = 'last-writer-wins' | 'reject-stale';

interface Stored extends ServerDocument {
  readonly collection: string;
  readonly id: DocId;
  readonly version: string;
}

interface State {
  readonly documents: ReadonlyMap<string, Stored>;
  readonly receipts: ReadonlyMap<string, PushResult>;
  readonly log: readonly LogChange[];
}

/**
 * One scope of the fake server: what it has, and its log. It takes whole documents by the newer stamp or by parent, and patches
 * as they come: far simpler than the server, which merges field by field.
 */
export class FakeScope {
  private state: State = { documents: new Map(), receipts: new Map(), log: [] };
  /** The seq below which the log is trimmed. */
  private floor = 0;
  private seq = 0;
  private last = { ms: 0, counter: 0, node: 'fake' };

  constructor(
    private readonly conflict: FakeConflict,
    private readonly now: () => number,
  ) {}

  get lastSeq(): string {
    return this.state.log.at(-1)?.version ?? ZERO_VERSION;
  }

  get position(): number {
    return this.seq;
  }

  document(collection: string, id: DocId): ServerDocument | undefined {
    const found = this.state.documents.get(keyOf(collection, id));
    return found && { version: found.version, deleted: found.deleted, data: found.data };
  }

  /** All changes of a group, or none of them; what has no group stands alone. */
  push(
    clientId: string,
    changes: readonly PushedChange[],
    isBatch: boolean,
    refusal: Refusal | undefined,
  ): PushResult[] {
    const results: PushResult[] = [];
    for (const group of groupsOf(changes, isBatch)) {
      const before = { ...this.state, seq: this.seq };
      const answers = group.map((change) => this.take(clientId, change, refusal));
      const isRefused = group.length > 1 && answers.some(({ status }) => status === 'rejected');
      if (!isRefused) results.push(...answers);
      else {
        const { seq, ...state } = before;
        this.state = state;
        this.seq = seq;
        results.push(...answers.map((answer, place) => this.rolledBack(answer, group[place])));
      }
    }
    return results;
  }

  /** The entries above a cursor. */
  pull(since: string | number | undefined, limit: number): PullResponse {
    const { log } = this.state;
    const from =
      since === undefined || since === ZERO_VERSION
        ? 0
        : typeof since === 'number'
          ? since
          : since === this.lastSeq
            ? this.seq
            : log.find(({ version }) => version === since)?.seq;
    if (from === undefined || from > this.seq)
      return { full_resync_required: true, collections: [], reason: 'unknown_cursor' };
    if (from < this.floor) return { full_resync_required: true, collections: [], reason: 'too_old' };
    const above = log.filter(({ seq }) => seq > from);
    const changes = above.slice(0, limit);
    const end = changes.at(-1);
    return {
      changes,
      last_seq: end?.version ?? this.versionAt(from),
      seq: end?.seq ?? from,
      has_more: above.length > changes.length,
    };
  }

  rows(tombstones: boolean): FullLine[] {
    return [...this.state.documents.values()]
      .filter(({ deleted }) => tombstones || !deleted)
      .map(({ collection, id, data, deleted, version }) => ({
        collection,
        doc_id: id,
        data,
        deleted,
        version,
      }));
  }

  /** The log keeps nothing up to here: devices that stand below load everything again. */
  trim(): void {
    this.floor = this.seq;
    this.state = { ...this.state, log: this.state.log.slice(-1) };
  }

  private take(clientId: string, change: PushedChange, refusal: Refusal | undefined): PushResult {
    const { collection, doc_id: id, mutation_id: mutation } = change;
    const receiptKey = typeof mutation === 'string' ? `${clientId} ${mutation}` : undefined;
    const known = receiptKey === undefined ? undefined : this.state.receipts.get(receiptKey);
    if (known) return { ...known, replayed: true };
    const current = this.state.documents.get(keyOf(collection, id));
    const code = refusal?.(change);
    const result =
      code === undefined ? this.decide(clientId, change, current) : refused(change, code, current);
    if (receiptKey !== undefined && !UNJUDGED.has(result.code))
      this.state = {
        ...this.state,
        receipts: new Map(this.state.receipts).set(receiptKey, result),
      };
    return result;
  }

  private decide(clientId: string, change: PushedChange, current: Stored | undefined): PushResult {
    const { operation, parent_version: parent = null, hlc } = change;
    // What was made by the change that this one was made on is no news to it.
    const made = this.state.receipts.get(`${clientId} ${String(change['parent_mutation_id'])}`)?.new_version;
    const isStale = current !== undefined && parent !== current.version && made !== current.version;
    if (operation === 'patch') {
      if (!current) return refused(change, 'document_missing', current);
      if (current.deleted) return refused(change, 'conflict_deleted', current);
      const patch = patchOf(change);
      const sets = Object.keys(patch.set).length + patch.unset.length > 0;
      if (isStale && sets && this.conflict === 'reject-stale')
        return refused(change, 'conflict_stale', current);
      const made = patched(current.data ?? {}, patch);
      if (!made.ok) return refused(change, 'patch_mismatch', current);
      return this.write(clientId, change, made.data, isStale && sets ? current : undefined);
    }
    const isOlder = typeof hlc === 'string' && current !== undefined && hlc <= current.version;
    if (isStale && (this.conflict === 'reject-stale' || isOlder))
      return refused(change, current.deleted ? 'conflict_deleted' : 'conflict_stale', current);
    const data = operation === 'delete' ? null : (change['data'] as JsonObject);
    return this.write(clientId, change, data, isStale ? current : undefined);
  }

  private write(
    clientId: string,
    change: PushedChange,
    data: JsonObject | null,
    resolved: Stored | undefined,
  ): PushResult {
    const { collection, doc_id: id, hlc, mutation_id: mutation, parent_version } = change;
    const version = this.nextVersion(typeof hlc === 'string' ? hlc : undefined);
    const stored: Stored = { collection, id, version, deleted: data === null, data };
    this.seq += 1;
    const entry: LogChange = {
      version,
      seq: this.seq,
      collection,
      doc_id: id,
      operation: data === null ? 'delete' : 'upsert',
      data,
      parent_version: typeof parent_version === 'string' ? parent_version : null,
      client_id: clientId,
      ...(typeof mutation === 'string' ? { mutation_id: mutation } : {}),
    };
    this.state = {
      ...this.state,
      documents: new Map(this.state.documents).set(keyOf(collection, id), stored),
      log: [...this.state.log, entry],
    };
    const isShown = change['return'] === 'document' || resolved !== undefined;
    return {
      doc_id: id,
      status: resolved ? 'conflict_resolved' : 'accepted',
      new_version: version,
      server_version: resolved?.version ?? null,
      code: null,
      error: null,
      seq: this.seq,
      ...(typeof mutation === 'string' ? { mutation_id: mutation } : {}),
      ...(isShown ? { server_document: { version, deleted: data === null, data } } : {}),
    };
  }

  private rolledBack(answer: PushResult, change: PushedChange | undefined): PushResult {
    if (answer.status === 'rejected') return answer;
    return refused(
      change as PushedChange,
      'batch_rolled_back',
      change && this.state.documents.get(keyOf(change.collection, change.doc_id)),
    );
  }

  /** Above everything that was written before, and above the edit's own stamp. */
  private nextVersion(hlc: string | undefined): string {
    const given = hlc === undefined ? 0 : (parseHlc(hlc)?.ms ?? 0);
    const ms = Math.max(this.now(), given, this.last.ms);
    this.last = { ...this.last, ms, counter: ms === this.last.ms ? this.last.counter + 1 : 0 };
    return formatHlc(this.last);
  }

  private versionAt(seq: number): string {
    return this.state.log.find((entry) => entry.seq === seq)?.version ?? ZERO_VERSION;
  }
}

/** They leave no receipt. */
const UNJUDGED: ReadonlySet<string | null> = new Set(['clock_drift', 'forbidden']);

function refused(change: PushedChange, code: ErrorCode, current: Stored | undefined): PushResult {
  const { doc_id, mutation_id } = change;
  return {
    doc_id,
    status: 'rejected',
    new_version: null,
    server_version: current?.version ?? null,
    code,
    error: `The fake server refuses this change as ${code}.`,
    server_document: current
      ? { version: current.version, deleted: current.deleted, data: current.data }
      : null,
    ...(typeof mutation_id === 'string' ? { mutation_id } : {}),
  };
}

function groupsOf(changes: readonly PushedChange[], isBatch: boolean): PushedChange[][] {
  const groups: { name: unknown; changes: PushedChange[] }[] = [];
  for (const change of changes) {
    const name = isBatch ? 'batch' : change['group'];
    const of = name === undefined ? undefined : groups.find((group) => group.name === name);
    if (of) of.changes.push(change);
    else groups.push({ name, changes: [change] });
  }
  return groups.map((group) => group.changes);
}

function patchOf(change: PushedChange): PatchBody {
  const part = (name: string): object => (isObject(change[name]) ? change[name] : {});
  return {
    set: part('data'),
    unset: Array.isArray(change['unset']) ? change['unset'] : [],
    inc: part('inc'),
    add: part('add'),
    remove: part('remove'),
  } as PatchBody;
}

function keyOf(collection: string, id: DocId): string {
  return JSON.stringify([collection, id]);
}
