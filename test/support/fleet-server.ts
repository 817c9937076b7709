import {
  parsePushRequest,
  ZERO_VERSION,
  type JsonObject,
  type LogChange,
  type PushChange,
  type PushResult,
} from 'nest-offline-sync-protocol';
import { SYNC_FIELDS } from '../../libs/sync/src/codec/stored-document';
import { wireOf } from '../../libs/sync/src/plan/ledger';
import type { CollectionRules } from '../../libs/sync/src/plan/conflict';
import {
  documentKey,
  targetOf,
  withFinding,
  type Decision,
  type PlanRequest,
  type PreparedChange,
} from '../../libs/sync/src/plan/plan';
import { headPage, locateCursor, pageOf, rowsToRead } from '../../libs/sync/src/pull/cursor';
import { bodyHash } from '../../libs/sync/src/push/body-hash';
import { PushWorld, resolverNeeds } from './push-world';

/** A collection of the server in memory. */
export interface FleetCollection {
  readonly rules: CollectionRules;
  /** Of `custom` rules: a document, null to delete, undefined to fail. */
  readonly resolve?: (
    current: JsonObject | null,
    incoming: JsonObject | null,
    base: JsonObject | null,
  ) => JsonObject | null | undefined;
  /** What is wrong with a document, or with the fields that a patch sets. */
  readonly refuses?: (data: JsonObject) => string | undefined;
  /** Devices may write it, and not read it. */
  readonly isHidden?: boolean;
}

export interface FleetAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const MAX_TRIES = 3;

/**
 * A server in memory for one scope, on the wire of docs/protocol.md: the real planner and the real rules of cursors, no database. Its
 * log can be trimmed, its database restored.
 */
export class FleetServer {
  wallMs: number;
  /** Everything that was pushed, as it came. */
  readonly bodies: unknown[] = [];
  /** Called after each change of the log, with its new entries. */
  readonly watchers = new Set<(entries: readonly LogChange[]) => void>();
  readonly sockets = new Set<{ drop(code: number): void }>();
  pageLimit = 50;
  /** What stands before the server: a proxy, a body parser. */
  intercept: ((path: string, body: unknown) => FleetAnswer | undefined) | undefined;
  private world = new PushWorld();
  private saved: { readonly world: PushWorld; readonly trimmed: number } | undefined;
  private restores = 0;
  private floor = 0;

  constructor(
    startMs: number,
    private readonly collections: ReadonlyMap<string, FleetCollection>,
  ) {
    this.wallMs = startMs;
  }

  handle(method: string, path: string, query: ReadonlyMap<string, string>, body: unknown): FleetAnswer {
    const answer = this.intercept?.(path, body);
    if (answer) return answer;
    if (method === 'POST' && path === 'push') return json(this.push(body));
    if (path === 'info') return json(this.info());
    if (path === 'pull') return json(this.pull(query.get('since')));
    if (path === 'full') return this.full(query.get('cursor'));
    return { status: 404, headers: {}, body: '{}' };
  }

  push(body: unknown): { results: PushResult[]; server_time: string } {
    const request = parsePushRequest(body, 1_000);
    const changes = request.changes.map((each): PreparedChange => {
      if (!each.ok) throw new Error(`The client sent a change without a form: ${each.rejection.message}`);
      return this.prepared(each.change, each.group);
    });
    this.bodies.push(body);
    const decisions = this.decide({
      scopeId: SCOPE,
      actorId: request.clientId,
      clientId: request.clientId,
      atomic: request.atomic ?? 'mutation',
      changes,
    });
    const results = decisions.map((decision, index) => this.result(changes[index]!, decision));
    return { results, server_time: this.time() };
  }

  /** The app's own write. */
  write(collection: string, id: string, data: JsonObject | null): void {
    this.decide({
      scopeId: SCOPE,
      actorId: 'app',
      clientId: 'app',
      atomic: 'batch',
      changes: [
        {
          ...this.named(collection, id),
          kind: 'ready',
          operation: data ? 'upsert' : 'delete',
          document: data,
          parent: null,
          hlc: null,
          byServer: { reserved: undefined },
        },
      ],
    });
  }

  /** All that a new device would load, by collection and id. */
  documents(): Map<string, JsonObject> {
    return this.world.stored(SCOPE);
  }

  get entries(): number {
    return this.world.versions(SCOPE).length;
  }

  get head(): string {
    return this.world.heads.get(SCOPE)?.version ?? ZERO_VERSION;
  }

  /** Removes the log up to here. */
  trim(upTo: number): void {
    this.floor = Math.max(this.floor, Math.min(upTo, this.world.log.length));
    this.world.floors.set(SCOPE, this.floor);
  }

  checkpoint(): void {
    this.saved = { world: this.world.clone(), trimmed: this.floor };
  }

  /** From a backup; the process that comes up then has another node id. The sockets were those of the one before. */
  restore(): boolean {
    if (!this.saved) return false;
    for (const socket of [...this.sockets]) socket.drop(1006);
    this.world = this.saved.world.clone();
    this.floor = this.saved.trimmed;
    this.world.node = `r${String(++this.restores).padStart(2, '0')}`;
    return true;
  }

  pull(since: string | undefined): object {
    const stored = this.world.heads.get(SCOPE);
    const floor = this.world.log[this.floor - 1]?.version ?? ZERO_VERSION;
    const head = stored ? { version: stored.version, seq: stored.seq, floor } : null;
    const look = locateCursor(since, head);
    if (look.at === 'gone') return { full_resync_required: true, collections: [], reason: look.reason };
    if (look.at === 'head' || !head) return headPage(head);
    const rows = this.world.log
      .slice(this.floor)
      .filter(({ version }) => look.from === undefined || version >= look.from)
      .map(({ seq, version, wire }) => ({ seq, version, wire: Buffer.from(wire) }));
    const page = pageOf(look, head, rows.slice(0, rowsToRead(look, this.pageLimit)), this.pageLimit);
    if (typeof page === 'string') return { full_resync_required: true, collections: [], reason: page };
    return { ...page.toJSON(), changes: page.changes.filter((each) => this.isReadable(each.collection)) };
  }

  private full(cursor: string | undefined): FleetAnswer {
    const [lastSeq, from] = cursor === undefined ? [this.head, 0] : (JSON.parse(cursor) as [string, number]);
    const all = [...this.world.documents].sort(([a], [b]) => (a < b ? -1 : 1));
    const lines = all.slice(from, from + this.pageLimit).flatMap(([key, stored]) => {
      const collection = key.split('\0')[0] ?? '';
      if (stored[SYNC_FIELDS.deleted] === true || !this.isReadable(collection)) return [];
      const data = Object.fromEntries(
        Object.entries(stored).filter(([name]) => name !== '_id' && !name.startsWith('_sync_')),
      );
      return [{ collection, doc_id: stored._id, data, deleted: false, version: stored[SYNC_FIELDS.version] }];
    });
    const next = from + this.pageLimit < all.length ? JSON.stringify([lastSeq, from + this.pageLimit]) : null;
    const text = [...lines, { end: true, last_seq: lastSeq, cursor: next }].map((each) =>
      JSON.stringify(each),
    );
    return { status: 200, headers: { 'x-sync-identity': IDENTITY }, body: `${text.join('\n')}\n` };
  }

  private info(): object {
    const collections = [...this.collections].filter(([, { isHidden }]) => !isHidden);
    return {
      server_time: this.time(),
      versions: { package: '0.1.0', wire: 1 },
      features: [],
      limits: { max_changes: 1_000, max_push_bytes: 8 * 1_024 * 1_024 },
      default_atomic: 'batch',
      stream: { ping_interval_ms: 30_000, subscribe_timeout_ms: 10_000 },
      retention: { log_days: 30, receipt_days: 30 },
      collections: collections.map(([name, { rules }]) => ({
        name,
        conflict: rules.strategy,
        delete_policy: rules.deleteUpdatePolicy,
        full_resync: true,
        ids: 'global',
      })),
    };
  }

  private isReadable(collection: string): boolean {
    return this.collections.get(collection)?.isHidden !== true;
  }

  private named(collection: string, id: string) {
    const rules = this.collections.get(collection)?.rules;
    if (!rules) throw new Error(`no collection ${collection}`);
    return { collection, rules, key: documentKey(collection, id, id), storedId: id, wireId: id };
  }

  private prepared(change: PushChange, group: string | undefined): PreparedChange {
    const { collection, operation, doc_id: id, data, patch, parent_version: parent, hlc } = change;
    const named = this.named(collection, String(id));
    const mutation = { id: change.mutation_id ?? '', hash: bodyHash(change) };
    const inGroup = group === undefined ? {} : { group };
    const problem = this.collections.get(collection)?.refuses?.({ ...(patch ? patch.set : data) });
    if (problem !== undefined && operation !== 'delete')
      return {
        kind: 'refused',
        ...inGroup,
        target: { collection, key: named.key, storedId: named.storedId, form: undefined },
        wireId: id,
        mutationId: mutation.id,
        mutation,
        rejection: { code: 'validation_failed', message: problem },
      };
    return {
      kind: 'ready',
      ...named,
      ...inGroup,
      operation,
      document: patch ? null : data,
      ...(patch ? { patch } : {}),
      parent,
      hlc,
      ...(change.parent_mutation_id === undefined ? {} : { parentMutation: change.parent_mutation_id }),
      ...(change.return ? { returns: true } : {}),
      mutation,
    };
  }

  /** Plans, with the app's resolver asked between the tries, and commits. */
  private decide(first: PlanRequest): readonly Decision[] {
    let request = first;
    const tries = new Map<number, number>();
    for (;;) {
      const plan = this.world.plan([request], this.wallMs);
      const outcome = plan.outcomes[0]!;
      if (outcome.kind === 'decided') {
        this.world.apply(plan);
        const entries = plan.entries.map(({ wire }) => JSON.parse(wire) as LogChange);
        const shown = entries.filter((each) => this.isReadable(each.collection));
        for (const watch of [...this.watchers]) watch(shown);
        return outcome.decisions;
      }
      for (const { index, basis, change, current, incoming, base } of resolverNeeds(outcome.needs)) {
        const count = (tries.get(index) ?? 0) + 1;
        tries.set(index, count);
        const document = this.collections.get(change.collection)?.resolve?.(current, incoming, base ?? null);
        const found =
          count > MAX_TRIES
            ? { verdict: { code: 'conflict_retry' as const, message: 'try again' } }
            : {
                resolution: {
                  basis,
                  outcome:
                    document === undefined
                      ? { rejection: { code: 'resolver_failed' as const, message: 'the resolver failed' } }
                      : { document },
                },
              };
        request = withFinding(request, index, found);
      }
    }
  }

  private result(change: PreparedChange, decision: Decision): PushResult {
    const { status, new_version, server_version, code, error, replayed, seq, conflict, standing } = decision;
    const target = targetOf(change);
    const document =
      conflict ?? (standing ? { ...standing, data: wireOf(standing, target?.form) } : standing);
    const mutation = change.kind === 'ready' ? change.mutation?.id : change.mutationId;
    return {
      doc_id: change.wireId,
      status,
      new_version,
      server_version,
      code,
      error,
      ...(document === undefined || !this.isReadable(target?.collection ?? '')
        ? {}
        : {
            server_document: document && {
              version: document.version,
              deleted: document.deleted,
              data: document.deleted ? null : document.data,
            },
          }),
      ...(mutation === undefined || mutation === null ? {} : { mutation_id: mutation }),
      ...(replayed ? { replayed } : {}),
      ...(seq === undefined ? {} : { seq }),
    };
  }

  private time(): string {
    return new Date(this.wallMs).toISOString();
  }
}

const SCOPE = 'A';
const IDENTITY = 'fleet-identity-of-one-';

function json(body: object): FleetAnswer {
  return { status: 200, headers: { 'x-sync-identity': IDENTITY }, body: JSON.stringify(body) };
}
