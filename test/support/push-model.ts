import type { PatchBody } from 'nest-offline-sync-protocol';
import type { PlanRequest, Decision, ReadyChange, PreparedChange } from '../../libs/sync/src/plan/plan';

type Data = Record<string, unknown>;

interface ModelDocument {
  scope: string;
  version: string;
  stamp: string;
  /** Null: deleted. */
  data: Data | null;
}

interface ModelEntry {
  readonly key: string;
  readonly version: string;
  readonly data: Data | null;
}

/** What a model expects of an answer. */
export type Expected = Pick<Decision, 'status' | 'new_version' | 'server_version' | 'code' | 'replayed'>;

/** The app's resolver: a document, null to delete, or undefined to fail. */
export type ModelResolver = (current: Data | null, incoming: Data | null) => Data | null | undefined;

interface State {
  documents: Map<string, ModelDocument>;
  heads: Map<string, string>;
  log: Map<string, ModelEntry[]>;
  receipts: Map<string, ModelReceipt>;
  /** Of each scope: up to which version its tombstones may be gone. */
  forgotten: Map<string, string>;
}

interface ModelReceipt {
  readonly body: string;
  readonly answer: Expected;
  readonly key: string;
  /** What the client had sent, and whether the server made just that of it. */
  readonly sent: Data | null | undefined;
  readonly same: boolean;
}

/**
 * What pushes do, written a second time in the simplest way: one request after another, one change after another, on a
 * copy of everything that is thrown away when a batch fails. Shares no code with the planner.
 */
export class PushModel {
  state: State = {
    documents: new Map(),
    heads: new Map(),
    log: new Map(),
    receipts: new Map(),
    forgotten: new Map(),
  };
  /** The end of the stamps that are drawn: four letters. */
  node = 'node';
  private begun: ReadonlyMap<string, string> | undefined;

  /** A transaction begins: until the next one, no version that is drawn from here on can be anybody's parent. */
  begin(): void {
    this.begun = new Map(this.state.heads);
  }

  /** @returns undefined when a resolver has to be asked and none is given */
  push(
    request: PlanRequest,
    wallMs: number,
    driftMs: number,
    resolver?: ModelResolver,
  ): Expected[] | undefined {
    const committed = this.state;
    this.state = structuredClone(committed);
    const begun = this.begun ?? new Map(committed.heads);
    const run = new ModelRequest(this.state, request, { wallMs, driftMs, node: this.node, begun }, resolver);
    const expected: Expected[] = [];
    for (const part of partsOf(request)) {
      const before = structuredClone(run.state);
      const answers: Expected[] = [];
      for (const entry of part.changes) {
        const answer = run.change(entry);
        if (!answer) {
          this.state = committed;
          return undefined;
        }
        answers.push(answer);
      }
      const falls = part.together && answers.some((answer) => answer.status === 'rejected');
      if (falls) run.state = structuredClone(before);
      answers.forEach((answer, at) => {
        expected.push(falls ? run.takeBack(part.changes[at]!, answer, before) : answer);
      });
    }
    this.state = run.state;
    return expected;
  }

  /** Tombstones up to a version may be gone; some are. */
  forget(scope: string, upTo: string, gone: ReadonlySet<string>): void {
    this.state.forgotten.set(scope, upTo);
    for (const key of gone) this.state.documents.delete(key);
  }

  /** The oldest entries of a scope are gone. */
  trim(scope: string, kept: number): void {
    const log = this.state.log.get(scope) ?? [];
    log.splice(0, log.length - kept);
  }
}

interface ModelClock {
  readonly wallMs: number;
  readonly driftMs: number;
  readonly node: string;
  /** The heads when the transaction began. */
  readonly begun: ReadonlyMap<string, string>;
}

/** What this request has made of a document, and what its client knows of that. */
interface Mine {
  readonly version: string;
  readonly sent: Data | null | undefined;
  readonly same: boolean;
  /** By an earlier request. */
  readonly before?: true;
  /** Of a patch that holds what its client has not seen: what it was judged by. */
  readonly judged?: { readonly parent: string | null; readonly stamp: string | undefined };
}

class ModelRequest {
  private readonly mine = new Map<string, Mine>();
  /** Stands for the tombstone of the present change that is gone. */
  private gone: ModelDocument | undefined;
  /** Documents of changes that were taken back. */
  private readonly fallen = new Set<string>();

  constructor(
    public state: State,
    private readonly request: PlanRequest,
    private readonly clock: ModelClock,
    private readonly resolver: ModelResolver | undefined,
  ) {}

  change(change: PreparedChange): Expected | undefined {
    const { mutation } = change;
    const key = receiptKey(this.request, mutation);
    const receipt = mutation && this.state.receipts.get(key);
    const same = receipt !== undefined && receipt.body === mutation?.hash;
    if (change.kind === 'refused')
      return same ? { ...receipt.answer, replayed: true } : no(change.rejection.code);
    if (!mutation) return this.fallen.has(change.key) ? no('parent_refused') : this.decide(change);
    if (receipt && !same) return no('mutation_id_reused');
    if (receipt) {
      const { new_version: version, status } = receipt.answer;
      const now = this.state.documents.get(change.key);
      const same = status === 'accepted' || (now?.version === version && equal(now?.data, change.document));
      if (version !== null && change.patch) this.ownAgain(change, change.patch, version);
      else if (version !== null) this.own(change, version, same);
      return { ...receipt.answer, replayed: true };
    }
    const answer = this.fallen.has(change.key) ? no('parent_refused') : this.decide(change);
    if (answer && !JUDGED_AGAIN.includes(answer.code ?? '')) this.keep(change, answer);
    return answer;
  }

  /** The answer to a change that falls, or has made others fall: what was refused stays so. */
  takeBack(change: PreparedChange, answer: Expected, before: State): Expected {
    const key = receiptKey(this.request, change.mutation);
    const isUndone = answer.status !== 'rejected' && !before.receipts.has(key);
    const told = isUndone ? no('batch_rolled_back') : answer;
    const named = change.kind === 'refused' ? change.target?.key : change.key;
    if (told.status === 'rejected' && named !== undefined) this.fallen.add(named);
    if (told.status !== 'rejected' || isUndone) return told;
    // What the same push has refused before is told again as it is told now.
    const isRepeated = told.replayed && !before.receipts.has(key);
    if ((told.replayed || change.kind === 'refused') && !isRepeated) return told;
    const current = this.state.documents.get(named!);
    const gone = this.state.forgotten.get(this.request.scopeId);
    const wasGone = told.server_version !== null && told.server_version === gone;
    const own = current?.scope === this.request.scopeId ? current.version : wasGone ? gone : null;
    const refusal = { ...told, server_version: told.server_version === null ? null : own };
    if (
      change.mutation &&
      !isRepeated &&
      !before.receipts.has(key) &&
      !JUDGED_AGAIN.includes(refusal.code ?? '')
    )
      this.keep(change as ReadyChange, refusal);
    return refusal;
  }

  private keep({ mutation, key, document, patch }: ReadyChange, answer: Expected): void {
    const mine = this.mine.get(key);
    const sent = patch && answer.new_version !== null ? mine?.sent : document;
    const receipt = { body: mutation!.hash, answer, key, sent, same: mine?.same ?? true };
    this.state.receipts.set(receiptKey(this.request, mutation), receipt);
  }

  /** As if the parent were an earlier change of the same request. */
  private follow({ parentMutation: id, key }: ReadyChange): Expected | undefined {
    if (id === undefined) return undefined;
    const parent = this.state.receipts.get(receiptKey(this.request, { id, hash: '' }));
    if (!parent) return no('parent_refused');
    if (parent.key !== key) return no('invalid_change');
    const { status, new_version: version } = parent.answer;
    if (status === 'rejected') return no('parent_refused');
    const { sent } = parent;
    const same = status === 'accepted' || parent.same;
    if (version !== null && (this.mine.get(key)?.version ?? '') < version)
      this.mine.set(key, { version, sent, same, before: true });
    return undefined;
  }

  private decide(change: ReadyChange): Expected | undefined {
    const { scopeId } = this.request;
    const { wallMs, driftMs, begun } = this.clock;
    this.gone = undefined;
    if (change.verdict) return no(change.verdict.code);
    const stored = this.state.documents.get(change.key);
    if (stored && stored.scope !== scopeId) return no('id_unavailable');
    if (change.byServer) {
      if (!change.patch) return this.write(change, undefined, change.document);
      if (!stored) return no('document_missing');
      if (!stored.data) return { ...no('conflict_deleted'), server_version: stored.version };
      return this.write(change, undefined, patched(stored.data, change.patch));
    }
    const head = this.state.heads.get(scopeId) ?? '';
    for (const stamp of [change.parent, change.hlc])
      if (stamp && ms(stamp) > Math.max(wallMs, ms(head)) + driftMs) return no('clock_drift');
    if (stored && (change.parent ?? '') > (begun.get(scopeId) ?? '')) return no('parent_unknown');

    const orphaned = this.follow(change);
    if (orphaned) return orphaned;
    const { parent, stamp, unseen, built } = this.ancestry(change);
    // Its client knows a document that is gone without a trace: for all that is known it was deleted since.
    const gone = this.state.forgotten.get(scopeId) ?? '';
    const lost = parent !== null && parent < gone;
    if (!stored && lost) this.gone = { scope: scopeId, version: gone, stamp: gone, data: null };
    const current = stored ?? this.gone;
    if (change.patch) return this.patch(change, change.patch, current);
    const upsert = change.operation === 'upsert';
    const { strategy, deleteUpdatePolicy: policy } = change.rules;
    const goesOn = unseen && upsert && (strategy === 'merge' || strategy === 'custom');
    if (!current) return this.write(change, undefined, change.document);
    if (current.data === null && !upsert) {
      this.own(change, current.version, true);
      return { ...yes('accepted', current.version), server_version: null };
    }
    if (parent === current.version && !goesOn) return this.write(change, undefined, change.document);

    const refusal = no(
      current.data === null && policy !== 'resurrect_on_update' ? 'conflict_deleted' : 'conflict_stale',
    );
    const rejection = { ...refusal, server_version: current.version };
    if (refusal.code === 'conflict_deleted' && upsert) return rejection;
    const wins = (): Expected => this.write(change, current.version, change.document);
    if (!upsert && policy === 'delete_wins') return wins();
    if (strategy === 'reject-stale') return { ...rejection, code: 'conflict_stale' };
    if (strategy === 'client-wins') return wins();
    if (strategy === 'custom') return this.ask(change, current);
    if (upsert && current.data === null) return wins();
    const newer = notOlder(change.hlc ?? parent, stamp ?? current.stamp);
    const base = this.baseOf(change.key, parent, built, current);
    if (strategy === 'merge' && upsert && base && current.data)
      return this.write(change, current.version, merged(base, current.data, change.document!, newer));
    return newer ? wins() : { ...rejection, code: 'conflict_stale' };
  }

  /** What the client built upon, and what it knew of that. */
  private ancestry(change: ReadyChange): {
    parent: string | null;
    stamp: string | undefined;
    unseen: boolean;
    built: Mine | undefined;
  } {
    const mine = this.mine.get(change.key);
    const built = mine && (change.parent ?? '') < mine.version ? mine : undefined;
    if (!built) return { parent: change.parent, stamp: undefined, unseen: false, built };
    if (built.judged && !built.same) return { ...built.judged, unseen: false, built };
    return { parent: built.version, stamp: undefined, unseen: !built.same && !built.judged, built };
  }

  /** What was sent in an earlier request is known by the log, or by the document. */
  private baseOf(
    key: string,
    parent: string | null,
    built: Mine | undefined,
    current: ModelDocument,
  ): Data | null | undefined {
    if (!built) return this.entryAt(key, parent);
    const isKnown =
      !built.before || built.version === current.version || this.entryAt(key, parent) !== undefined;
    return isKnown ? built.sent : undefined;
  }

  private patch(
    change: ReadyChange,
    patch: PatchBody,
    current: ModelDocument | undefined,
  ): Expected | undefined {
    if (!current) return no('document_missing');
    const { parent, stamp, unseen, built } = this.ancestry(change);
    const { strategy, deleteUpdatePolicy: policy } = change.rules;
    const base = this.baseOf(change.key, parent, built, current) ?? undefined;
    const knew = parent === current.version && !unseen;
    const refusal = (code: 'conflict_stale' | 'conflict_deleted'): Expected => ({
      ...no(code),
      server_version: current.version,
    });
    const write = (over: boolean, data: Data | null, isResolved = false): Expected => {
      const known = !isResolved && (knew || !current.data) ? data : base && patched(base, patch);
      const answer = this.write(change, over ? current.version : undefined, data);
      this.mine.set(change.key, {
        version: answer.new_version!,
        sent: data && known,
        same: data !== null && known !== undefined && equal(known, data),
        judged: { parent, stamp: stamp ?? current.stamp },
      });
      return answer;
    };
    const setting = { ...patch, inc: {} };
    const ask = (): Expected | undefined => {
      const on = base ?? current.data;
      if (!on) return refusal('conflict_deleted');
      if (!this.resolver) return undefined;
      const made = this.resolver(current.data, patched(on, setting));
      if (made === undefined) return { ...no('resolver_failed'), server_version: current.version };
      return write(true, made && patched(made, { ...patch, set: {}, unset: [] }), true);
    };

    if (!current.data) {
      const stays = knew || policy !== 'resurrect_on_update' || strategy === 'reject-stale' || !base;
      if (stays) return refusal('conflict_deleted');
      return strategy === 'custom' ? ask() : write(true, patched(base, patch));
    }
    const now = current.data;
    const wanted = patched(now, setting);
    const fields = [...Object.keys(patch.set), ...patch.unset];
    const lost = fields.filter(
      (field) => !base || (base[field] !== now[field] && wanted[field] !== now[field]),
    );
    if (knew || lost.length === 0) return write(false, patched(now, patch));
    if (strategy === 'reject-stale') return refusal('conflict_stale');
    if (strategy === 'custom') return ask();
    if (strategy === 'client-wins' || notOlder(change.hlc ?? parent, stamp ?? current.stamp))
      return write(true, patched(now, patch));
    const rest: PatchBody = {
      ...patch,
      set: Object.fromEntries(Object.entries(patch.set).filter(([field]) => !lost.includes(field))),
      unset: patch.unset.filter((field) => !lost.includes(field)),
    };
    const isEmpty =
      [rest.set, rest.inc].every((part) => Object.keys(part).length === 0) && rest.unset.length === 0;
    return !base || isEmpty ? refusal('conflict_stale') : write(true, patched(now, rest));
  }

  /** A patch that was answered before. */
  private ownAgain(change: ReadyChange, patch: PatchBody, version: string): void {
    const { parent, stamp, built } = this.ancestry(change);
    if ((this.mine.get(change.key)?.version ?? '') >= version) return;
    const base = built ? built.sent : this.entryAt(change.key, parent);
    const left = this.entryAt(change.key, version);
    const known = base && left ? patched(base, patch) : undefined;
    this.mine.set(change.key, {
      version,
      sent: known,
      same: known !== undefined && equal(known, left),
      judged: { parent, stamp },
    });
  }

  private ask(change: ReadyChange, current: ModelDocument): Expected | undefined {
    if (!this.resolver) return undefined;
    const made = this.resolver(current.data, change.document);
    if (made === undefined) return { ...no('resolver_failed'), server_version: current.version };
    return this.write(change, current.version, made);
  }

  private write(change: ReadyChange, over: string | undefined, data: Data | null): Expected {
    const { scopeId } = this.request;
    const { documents, heads, log } = this.state;
    const standing = documents.get(change.key);
    if (
      standing?.data &&
      data &&
      !change.byServer &&
      equal(standing.data, data) &&
      !this.stamps(change, standing)
    ) {
      this.mine.set(change.key, {
        version: standing.version,
        sent: change.document,
        same: equal(data, change.document),
      });
      return over === undefined
        ? yes('accepted', standing.version)
        : { ...yes('conflict_resolved', standing.version), server_version: over };
    }
    const version = next(heads.get(scopeId), this.clock);
    const before = documents.get(change.key) ?? this.gone;
    const edited = change.hlc ?? version;
    const stamp = before && !notOlder(edited, before.stamp) ? before.stamp : edited;
    documents.set(change.key, { scope: scopeId, version, stamp, data });
    heads.set(scopeId, version);
    log.set(scopeId, [...(log.get(scopeId) ?? []), { key: change.key, version, data }]);
    this.own(change, version, equal(data, change.document));
    return over === undefined
      ? yes('accepted', version)
      : { ...yes('conflict_resolved', version), server_version: over };
  }

  /** Whether the change gives the document a newer stamp that counts. */
  private stamps({ hlc, rules: { strategy } }: ReadyChange, { stamp }: ModelDocument): boolean {
    return hlc !== null && hlc > stamp && (strategy === 'last-writer-wins' || strategy === 'merge');
  }

  private own(change: ReadyChange, version: string, same: boolean): void {
    const mine = this.mine.get(change.key);
    if (!mine || mine.version < version) this.mine.set(change.key, { version, sent: change.document, same });
  }

  private entryAt(key: string, parent: string | null): Data | null | undefined {
    const entries = this.state.log.get(this.request.scopeId) ?? [];
    return entries.filter((entry) => entry.key === key && parent !== null && entry.version <= parent).at(-1)
      ?.data;
  }
}

/** Refusals that leave no receipt. */
const JUDGED_AGAIN: readonly string[] = [
  'clock_drift',
  'parent_unknown',
  'parent_refused',
  'conflict_retry',
  'invalid_change',
  'mutation_id_reused',
];

/** The changes that stand or fall together; each of the others alone. */
function partsOf({ atomic, changes }: PlanRequest): { together: boolean; changes: PreparedChange[] }[] {
  if (atomic === 'batch') return [{ together: true, changes: [...changes] }];
  const parts: { together: boolean; group: string | undefined; changes: PreparedChange[] }[] = [];
  for (const change of changes) {
    const last = parts.at(-1);
    if (last?.together && last.group === change.group) last.changes.push(change);
    else parts.push({ together: change.group !== undefined, group: change.group, changes: [change] });
  }
  return parts;
}

function patched(data: Data, { set, unset, inc }: PatchBody): Data {
  const kept = Object.entries({ ...data, ...set }).filter(([field]) => !unset.includes(field));
  const result: Data = Object.fromEntries(kept);
  for (const [field, by] of Object.entries(inc)) result[field] = Number(result[field] ?? 0) + by;
  return result;
}

function merged(base: Data, ours: Data, theirs: Data, theirsNewer: boolean): Data {
  const result: Data = {};
  for (const key of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    const oursChanged = ours[key] !== base[key];
    const theirsChanged = theirs[key] !== base[key];
    const value = theirsChanged && (!oursChanged || theirsNewer) ? theirs[key] : ours[key];
    if (value !== undefined) result[key] = value;
  }
  return result;
}

function no(code: NonNullable<Expected['code']>): Expected {
  return { status: 'rejected', new_version: null, server_version: null, code, replayed: false };
}

function yes(status: 'accepted' | 'conflict_resolved', version: string): Expected {
  return { status, new_version: version, server_version: null, code: null, replayed: false };
}

function receiptKey({ scopeId, clientId }: PlanRequest, mutation: ReadyChange['mutation']): string {
  return JSON.stringify([scopeId, clientId, mutation?.id]);
}

function equal(a: Data | null | undefined, b: Data | null | undefined): boolean {
  const text = (data: Data): string => JSON.stringify(Object.entries(data).sort());
  return a && b ? text(a) === text(b) : a === b;
}

function ms(stamp: string): number {
  const [, y, m, d, rest, milli] = /^(....)(..)(..)T(......)\.(...)Z/.exec(stamp) ?? [];
  return y ? Date.parse(`${y}-${m!}-${d!}T${rest!.replace(/(..)(..)(..)/, '$1:$2:$3')}.${milli!}Z`) : 0;
}

function next(head: string | undefined, { wallMs, node }: ModelClock): string {
  const headMs = head ? ms(head) : -1;
  const counter = head ? Number(head.slice(21, 25)) + 1 : 0;
  const at = wallMs > headMs ? wallMs : counter > 9999 ? headMs + 1 : headMs;
  const text = new Date(at).toISOString().replace(/[-:]/g, '');
  return `${text}-${String(at === headMs ? counter : 0).padStart(4, '0')}-${node}`;
}

/** All stamps of the tests have a node of four letters: as texts they sort as the clock does. */
function notOlder(a: string | null, b: string): boolean {
  return a !== null && a >= b;
}
