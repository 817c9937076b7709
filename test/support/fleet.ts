import assert from 'node:assert';
import { ZERO_VERSION, type JsonObject, type LogChange, type PatchBody } from 'nest-offline-sync-protocol';
import { SYNC_FIELDS } from '../../libs/sync/src/codec/stored-document';
import type { PullPage } from '../../libs/sync/src/pull/page';
import { headPage, locateCursor, pageOf, rowsToRead } from '../../libs/sync/src/pull/cursor';
import {
  documentKey,
  receiptText,
  withFinding,
  type Plan,
  type Decision,
  type PlanRequest,
  type RequestOutcome,
  type ResolverNeed,
} from '../../libs/sync/src/plan/plan';
import { FLEET_RULES, keyOf, type Device, type DocumentName, type LocalDocument } from './fleet-device';
import { PushModel, type Expected, type ModelResolver } from './push-model';
import { DRIFT_MS, PushWorld, ready, resolverNeeds } from './push-world';

/** A request on its way. The app's resolver is asked between its tries. */
export interface Travelling {
  request: PlanRequest;
  readonly device: Device | undefined;
  /** The answer never arrives. */
  readonly lost: boolean;
  readonly tries: Map<number, number>;
  /** What a resolver's answer rested on, by change. */
  readonly bases: Map<number, string>;
}

interface Checkpoint {
  readonly world: PushWorld;
  readonly model: PushModel['state'];
  readonly firsts: Map<string, Expected>;
  readonly floors: Map<string, number>;
  readonly stamps: Map<string, string>;
}

export function travel(request: PlanRequest, device: Device | undefined, lost = false): Travelling {
  return { request: { ...request }, device, lost, tries: new Map(), bases: new Map() };
}

const MAX_TRIES = 3;
export const FLEET_SCOPES = ['A', 'B'] as const;

const resolver: ModelResolver = (current, incoming) => {
  const sum = Number(current?.['p'] ?? 0) + Number(incoming?.['p'] ?? 0);
  if (sum === 3) return undefined;
  return sum === 4 ? null : { ...current, ...incoming, resolved: sum };
};

/**
 * A server and its devices in memory: the real planner, the real cursor rules, and a model of pushes that every
 * answer is compared with, and the invariants that hold whatever happens, checked after every transaction.
 */
export class Fleet {
  wallMs: number;
  /** What devices have sent, for some of it to come again. */
  private readonly past: PlanRequest[] = [];
  /** Pushes that wait for the app's resolver. */
  readonly unresolved: Travelling[] = [];
  private world = new PushWorld();
  private readonly model = new PushModel();
  /** The first answer to each mutation. */
  private firsts = new Map<string, Expected>();
  /** The floor of each scope: entries up to it may be gone. */
  private floors = new Map<string, number>();
  /** The edit stamp of each document. */
  private stamps = new Map<string, string>();
  /**
   * Up to which version of each scope a device may lack tombstones. A restore leaves it: a device that has loaded before
   * that lacks what is there again.
   */
  private readonly forgotten = new Map<string, string>();
  private saved: Checkpoint | undefined;
  private restores = 0;

  constructor(startMs: number) {
    this.wallMs = startMs;
  }

  /** A scope that has one entry already, drawn by a clock that was ahead. */
  begin(scope: string, version: string, name: DocumentName): void {
    const data = { owner: `owned by ${scope}`, p: 1 };
    const { collection, id } = name;
    const key = keyOf(name);
    const place = { version, seq: 1, collection, operation: 'upsert' as const };
    const wire: LogChange = { ...place, doc_id: id, data, parent_version: null };
    this.world.log.push({
      ...place,
      scope,
      doc: id,
      actor: 'app',
      at: new Date(this.wallMs),
      wire: JSON.stringify(wire),
    });
    this.world.heads.set(scope, { _id: scope, version, seq: 1, floor: ZERO_VERSION, floorSeq: 0 });
    this.world.documents.set(key, {
      _id: id,
      ...data,
      [SYNC_FIELDS.version]: version,
      [SYNC_FIELDS.actor]: 'app',
      [SYNC_FIELDS.scope]: scope,
      [SYNC_FIELDS.deleted]: false,
    });
    const { heads, documents, log } = this.model.state;
    heads.set(scope, version);
    documents.set(key, { scope, version, stamp: version, data });
    log.set(scope, [{ key, version, data }]);
    this.stamps.set(key, version);
  }

  /** A request that was sent before comes once more, late: whatever was made of it meanwhile. */
  late(pick: number): void {
    const request = this.past[pick % Math.max(1, this.past.length)];
    if (request) this.transaction([travel(request, undefined)]);
  }

  /** One transaction: what is planned together is committed together. */
  transaction(travelling: readonly Travelling[]): void {
    const requests = travelling.map((each) => each.request);
    for (const { request, device, tries } of travelling)
      if (device && tries.size === 0) this.past.push(request);
    const plan = this.world.plan(requests, this.wallMs);
    this.expectSameApart(requests, plan);
    const before = new Map(this.world.heads);
    this.world.apply(plan);
    this.model.begin();
    plan.outcomes.forEach((outcome, index) => {
      const each = travelling[index]!;
      if (outcome.kind === 'decided') this.answer(each, outcome.decisions);
      else this.ask(each, resolverNeeds(outcome.needs));
    });
    this.expectEntries(requests, plan, before);
    this.expectStamps(plan);
    for (const scope of FLEET_SCOPES)
      assert.deepStrictEqual(
        this.world.stored(scope),
        this.world.folded(scope),
        'the log folds to the documents',
      );
  }

  /** The server stops before the commit: planning again says the same, and nothing of it was kept. */
  abort(travelling: readonly Travelling[]): void {
    const requests = travelling.map((each) => each.request);
    const [first, second] = [this.world.plan(requests, this.wallMs), this.world.plan(requests, this.wallMs)];
    assert.deepStrictEqual(first, second);
  }

  /** The app's own write, which nothing can refuse but a foreign id; and, of a patch, that nothing stands. */
  serverWrite(scope: string, name: DocumentName, data: JsonObject | null, patch?: PatchBody): void {
    const rules = FLEET_RULES.get(name.collection)!;
    const request: PlanRequest = {
      scopeId: scope,
      actorId: 'app',
      clientId: 'app',
      atomic: 'batch',
      changes: [
        {
          kind: 'ready',
          collection: name.collection,
          rules,
          operation: patch ? 'patch' : data ? 'upsert' : 'delete',
          key: keyOf(name),
          storedId: name.id,
          wireId: name.id,
          document: data && { owner: `owned by ${scope}`, ...data },
          ...(patch ? { patch } : {}),
          parent: null,
          hlc: null,
          byServer: { reserved: undefined },
        },
      ],
    };
    this.transaction([travel(request, undefined)]);
  }

  /** Raises a scope's floor; `removed` percent of what is below it go at once. */
  trim(scope: string, upTo: number, removed: number): void {
    const all = this.world.versions(scope).length;
    const floor = Math.max(this.floors.get(scope) ?? 0, Math.min(upTo, all));
    this.floors.set(scope, floor);
    const gone = Math.max(this.world.floors.get(scope) ?? 0, Math.floor((floor * removed) / 100));
    this.world.floors.set(scope, gone);
    this.model.trim(scope, all - gone);
  }

  /**
   * Tombstones that every device has seen which need not load everything again are removed, up to the newest but `kept`
   * of them; `removed` percent of them are gone at once.
   */
  forget(scope: string, kept: number, removed: number): void {
    const floor = this.floorOf(scope);
    const tombstones = [...this.full(scope)]
      .filter(([, { version, data }]) => data === null && version <= floor)
      .sort(([, a], [, b]) => (a.version < b.version ? -1 : 1));
    const due = tombstones.slice(0, Math.max(0, tombstones.length - kept));
    const last = due.at(-1)?.[1].version;
    const before = this.world.heads.get(scope)?.tombstoneFloor ?? '';
    if (last === undefined) return;
    const upTo = last > before ? last : before;
    const gone = new Set(due.slice(0, Math.ceil((due.length * removed) / 100)).map(([key]) => key));
    this.world.forget(scope, upTo, gone);
    this.model.forget(scope, upTo, gone);
    for (const key of gone) this.stamps.delete(key);
    if (upTo > (this.forgotten.get(scope) ?? '')) this.forgotten.set(scope, upTo);
  }

  /** A device has what the scope has, but for tombstones that the scope need not have any more. */
  expectSame(device: Device): void {
    const forgotten = this.forgotten.get(device.scope) ?? '';
    const known = (rows: ReadonlyMap<string, LocalDocument>): Map<string, LocalDocument> =>
      new Map([...rows].filter(([, { version, data }]) => data !== null || version > forgotten));
    assert.deepStrictEqual(
      known(device.local),
      known(this.full(device.scope)),
      'a device that has pulled has the scope',
    );
  }

  private floorOf(scope: string): string {
    return this.world.versions(scope)[(this.floors.get(scope) ?? 0) - 1] ?? ZERO_VERSION;
  }

  /** One page of a pull; a device whose cursor is unknown loads everything again. */
  pull(device: Device, limit: number): boolean {
    const page = this.page(device.scope, device.cursor, limit);
    if (typeof page === 'string') {
      this.load(device);
      return true;
    }
    assert(device.cursor === undefined || page.last_seq >= device.cursor, 'a cursor never goes back');
    device.pulled(page.changes, page.last_seq);
    return page.has_more;
  }

  load(device: Device): void {
    device.loaded(this.full(device.scope), this.world.heads.get(device.scope)?.version ?? ZERO_VERSION);
  }

  checkpoint(): void {
    const { world, model, firsts, floors, stamps } = this;
    this.saved = {
      world: world.clone(),
      model: structuredClone(model.state),
      firsts: new Map(firsts),
      floors: new Map(floors),
      stamps: new Map(stamps),
    };
  }

  /** The database is restored from a backup; the processes that come up then have other node ids. */
  restore(): void {
    const { saved } = this;
    if (!saved) return;
    this.world = saved.world.clone();
    this.model.state = structuredClone(saved.model);
    this.firsts = new Map(saved.firsts);
    this.floors = new Map(saved.floors);
    this.stamps = new Map(saved.stamps);
    this.unresolved.length = 0;
    this.restores += 1;
    this.world.node = this.model.node = `no${String(this.restores).padStart(2, '0')}`;
  }

  /** What the scope's collections hold, tombstones included. */
  full(scope: string): Map<string, LocalDocument> {
    const rows = new Map<string, LocalDocument>();
    for (const [key, stored] of this.world.documents) {
      if (stored[SYNC_FIELDS.scope] !== scope) continue;
      const data = Object.entries(stored).filter(([name]) => name !== '_id' && !name.startsWith('_sync_'));
      const deleted = stored[SYNC_FIELDS.deleted] === true;
      assert(!deleted || data.length === 0, 'a tombstone keeps nothing of the document');
      rows.set(key, {
        version: String(stored[SYNC_FIELDS.version]),
        data: deleted ? null : (Object.fromEntries(data) as JsonObject),
      });
    }
    return rows;
  }

  private page(scope: string, since: string | undefined, limit: number): PullPage | string {
    const stored = this.world.heads.get(scope);
    const log = this.world.log.filter((entry) => entry.scope === scope);
    const floor = this.floorOf(scope);
    const head = stored ? { version: stored.version, seq: stored.seq, floor } : null;
    const look = locateCursor(since, head);
    if (look.at === 'gone') return look.reason;
    if (look.at === 'head' || !head) return headPage(head);
    const rows = log
      .slice(this.world.floors.get(scope) ?? 0)
      .filter(({ version }) => look.from === undefined || version >= look.from)
      .map(({ seq, version, wire }) => ({ seq, version, wire: Buffer.from(wire) }));
    return pageOf(look, head, rows.slice(0, rowsToRead(look, limit)), limit);
  }

  private answer(travelling: Travelling, answers: readonly Decision[]): void {
    const { request, device, lost } = travelling;
    const expected = this.model.push(request, this.wallMs, DRIFT_MS, resolver);
    assert.deepStrictEqual(told(answers), expected, 'the model answers the same');
    this.expectFirstAnswers(request, answers);
    const other = `owned by ${request.scopeId === 'A' ? 'B' : 'A'}`;
    assert(!JSON.stringify(answers).includes(other), 'nothing of another scope in an answer');
    if (!device || lost) return;
    const isLost = answers.some(({ code }) => code === 'parent_unknown' || code === 'clock_drift');
    if (isLost) this.load(device);
    device.answered(request, answers);
  }

  /** Outside of any transaction: the document may move on before the answer is used. */
  private ask(travelling: Travelling, needs: readonly ResolverNeed[]): void {
    assert.equal(
      this.model.push(travelling.request, this.wallMs, DRIFT_MS),
      undefined,
      'a resolver is needed',
    );
    const asked = needs.map((need) => need.change.key);
    assert.equal(new Set(asked).size, asked.length, 'one change of a document is asked about at a time');
    for (const { index, basis, current, incoming } of needs) {
      assert.notEqual(travelling.bases.get(index), basis, 'a resolver is asked once about one state');
      travelling.bases.set(index, basis);
      const tries = (travelling.tries.get(index) ?? 0) + 1;
      travelling.tries.set(index, tries);
      const document = resolver(current, incoming);
      const outcome =
        document === undefined
          ? { rejection: { code: 'resolver_failed' as const, message: '' } }
          : { document };
      travelling.request = withFinding(
        travelling.request,
        index,
        tries > MAX_TRIES
          ? { verdict: { code: 'conflict_retry', message: '' } }
          : { resolution: { basis, outcome } },
      );
    }
    this.unresolved.push(travelling);
  }

  /** One after another, and with the scopes the other way round, the same requests come to the same. */
  private expectSameApart(requests: readonly PlanRequest[], plan: Plan): void {
    // A parent of a lost timeline is measured by the head that the transaction found, not by what it writes itself.
    const lost = plan.outcomes.some((outcome, index) =>
      outcome.kind === 'decided'
        ? outcome.decisions.some((answer) => answer.code === 'parent_unknown')
        : this.hasParentAboveHead(requests[index]!),
    );
    if (requests.length < 2 || lost) return;
    const together = this.world.clone();
    together.apply(plan);
    const turned = [...FLEET_SCOPES]
      .reverse()
      .flatMap((scope) => requests.filter((request) => request.scopeId === scope));
    for (const order of sharesIds(requests) ? [requests] : [requests, turned]) {
      const apart = this.world.clone();
      const outcomes = new Map<PlanRequest, RequestOutcome>();
      for (const request of order) {
        const alone = apart.plan([request], this.wallMs);
        apart.apply(alone);
        outcomes.set(request, alone.outcomes[0]!);
      }
      requests.forEach((request, index) => {
        assert.deepStrictEqual(brief(outcomes.get(request)!), brief(plan.outcomes[index]!));
      });
      assert.deepStrictEqual(apart.documents, together.documents);
      assert.deepStrictEqual(apart.receipts, together.receipts);
      assert.deepStrictEqual(apart.heads, together.heads);
      for (const scope of FLEET_SCOPES)
        assert.deepStrictEqual(
          apart.log.filter((entry) => entry.scope === scope),
          together.log.filter((entry) => entry.scope === scope),
        );
    }
  }

  private hasParentAboveHead({ scopeId, changes }: PlanRequest): boolean {
    const head = this.world.heads.get(scopeId)?.version ?? ZERO_VERSION;
    return changes.some((entry) => entry.kind === 'ready' && (entry.parent ?? '') > head);
  }

  private expectFirstAnswers(request: PlanRequest, answers: readonly Decision[]): void {
    // A failed batch or group leaves receipts of its refusals alone: the others were not answered for good.
    request.changes.forEach((entry, index) => {
      const { mutation } = entry;
      const answer = told(answers)[index]!;
      if (!mutation || answer.code === 'batch_rolled_back' || answer.code === 'mutation_id_reused') return;
      const name = receiptText(request.scopeId, request.clientId, mutation.id);
      const first = this.firsts.get(name);
      // Judged once more, and again without an answer for good: only then is there no receipt.
      if (JUDGED_AGAIN.includes(answer.code ?? '')) return assert(!first);
      if (answer.replayed && first) assert.deepStrictEqual({ ...answer, replayed: false }, first);
      else assert(!first || entry.kind === 'refused', 'a mutation is judged once');
      const kept = this.world.receipts.get(name)?.hash === mutation.hash;
      if (entry.kind === 'ready' && !first && kept && !answer.replayed) this.firsts.set(name, answer);
    });
  }

  /** Each entry is the effect of a change that was answered with it, and each new version has its entry. */
  private expectEntries(
    requests: readonly PlanRequest[],
    plan: Plan,
    before: ReadonlyMap<string, { readonly version: string }>,
  ): void {
    const base = (scope: string): string => before.get(scope)?.version ?? '';
    const named = new Set<string>();
    plan.outcomes.forEach((outcome, index) => {
      if (outcome.kind !== 'decided') return;
      const { scopeId } = requests[index]!;
      for (const { new_version: version } of outcome.decisions)
        if (version !== null && version > base(scopeId)) named.add(`${scopeId} ${version}`);
    });
    const entries = plan.entries.map(({ scope, version }) => `${scope} ${version}`);
    assert.deepStrictEqual([...named].sort(), entries.sort());
    for (const { scope, version } of plan.entries)
      assert(version > base(scope), 'versions rise above the head');
  }

  /** The log carries the same edit stamps as the documents, and those of a document only rise. */
  private expectStamps(plan: Plan): void {
    const logged = new Map<string, string>();
    for (const { wire } of plan.entries) {
      const { collection, doc_id: id, version, hlc } = JSON.parse(wire) as LogChange;
      logged.set(documentKey(collection, id, id), hlc ?? version);
    }
    for (const [key, stored] of this.world.documents) {
      const stamp = String(stored[SYNC_FIELDS.hlc] ?? stored[SYNC_FIELDS.version]);
      assert.equal(logged.get(key) ?? stamp, stamp, 'the entry has the stamp of the document');
      assert(stamp >= (this.stamps.get(key) ?? ''), 'the stamps of a document only rise');
      this.stamps.set(key, stamp);
    }
  }
}

const JUDGED_AGAIN: readonly string[] = [
  'clock_drift',
  'parent_unknown',
  'parent_refused',
  'conflict_retry',
  'invalid_change',
];

function sharesIds(requests: readonly PlanRequest[]): boolean {
  const owners = new Map<string, string>();
  for (const request of requests)
    for (const { key } of ready(request)) {
      if ((owners.get(key) ?? request.scopeId) !== request.scopeId) return true;
      owners.set(key, request.scopeId);
    }
  return false;
}

function brief(outcome: RequestOutcome): unknown {
  return outcome.kind === 'decided'
    ? outcome.decisions
    : resolverNeeds(outcome.needs).map(({ index, basis }) => [index, basis]);
}

function told(answers: readonly Decision[]): Expected[] {
  return answers.map(({ status, new_version, server_version, code, replayed }) => ({
    status,
    new_version,
    server_version,
    code,
    replayed,
  }));
}
