import type {
  ChangeResult,
  FullRow,
  History,
  HistoryEvent,
  PushEvent,
  Seen,
  SentChange,
  StreamEvent,
  Tenant,
} from '../../libs/conformance/src/history';

/** The version with this number: one a millisecond, as a scope would draw them. */
export function versionOf(number: number): string {
  const time = new Date(Date.UTC(2026, 4, 2) + number).toISOString().replace(/[-:]/g, '');
  return `${time}-0000-a1`;
}

export const STARTED_AT = Date.UTC(2026, 4, 2);

export interface SimulationOptions {
  readonly seed: number;
  readonly steps: number;
  /** Maximum number of changes in a push. */
  readonly maxChanges?: number;
}

/**
 * What a correct deployment would let a checker see: two tenants, clients that push, repeat and lose answers, readers
 * that pull, listen, break off and come back, full resyncs, writes of the app. A model of the protocol, small enough to
 * be checked by reading it, and no code of the server.
 */
export function simulate(options: SimulationOptions): History {
  const events: HistoryEvent[] = [];
  const random = mulberry32(options.seed);
  const shared = { time: 0, pushes: 0, version: 0, markers: 0 };
  const tenants = (['main', 'other'] as const).map(
    (tenant) => new SimulatedTenant(tenant, random, shared, events, options.maxChanges ?? 4),
  );
  for (let step = 0; step < options.steps; step += 1) {
    const tenant = tenants[random() < 0.8 ? 0 : 1];
    tenant?.step();
  }
  for (const tenant of tenants) tenant.finish();
  return { seed: options.seed, events, clock: { startedAt: STARTED_AT, serverAhead: 0 } };
}

interface Shared {
  time: number;
  pushes: number;
  version: number;
  markers: number;
}

interface Listener {
  readonly reader: string;
  readonly collections: readonly string[] | null;
  connection: number;
  connected: boolean;
  /** Index into the log of the next entry to get. */
  next: number;
}

const COLLECTIONS = ['cards', 'notes'] as const;
const CLIENTS = ['w0', 'w1', 'w2'];

class SimulatedTenant {
  private readonly log: Seen[] = [];
  private readonly documents = new Map<string, Seen>();
  private readonly receipts = new Map<string, ChangeResult>();
  private readonly sent: Pick<PushEvent, 'client' | 'atomic' | 'changes'>[] = [];
  private readonly cursors = new Map<string, string | null>();
  private readonly listeners: Listener[];

  constructor(
    private readonly tenant: Tenant,
    private readonly random: () => number,
    private readonly shared: Shared,
    private readonly events: HistoryEvent[],
    private readonly maxChanges: number,
  ) {
    this.listeners = [null, null, ['notes']].map((collections, index) => ({
      reader: `s${index}`,
      collections,
      connection: 0,
      connected: false,
      next: 0,
    }));
  }

  step(): void {
    const dice = this.random();
    if (dice < 0.4) this.push(this.newPush());
    else if (dice < 0.5) this.repeat();
    else if (dice < 0.55) this.appWrite();
    else if (dice < 0.75)
      this.pull(`p${this.below(3)}`, this.below(3) === 0 ? ['cards'] : null, 1 + this.below(4));
    else if (dice < 0.78) this.full(`f${this.below(2)}`);
    else this.listen(this.listeners[this.below(this.listeners.length)] as Listener);
  }

  finish(): void {
    for (const listener of this.listeners) {
      if (!listener.connected) this.connect(listener);
      this.deliver(listener, this.log.length);
    }
    while (this.pull(`final-${this.tenant}`, null, 3));
    this.full(`final-full-${this.tenant}`);
  }

  private newPush(): Pick<PushEvent, 'client' | 'atomic' | 'changes'> {
    const client = CLIENTS[this.below(CLIENTS.length)] as string;
    const changes = Array.from({ length: 1 + this.below(this.maxChanges) }, () => this.newChange());
    const atomic = this.random() < 0.5 ? ('batch' as const) : ('mutation' as const);
    const isGrouped = atomic === 'mutation' && this.random() < 0.4;
    const push = {
      client,
      atomic,
      changes: changes.map((change, index) => (isGrouped ? { ...change, group: `g${index >> 1}` } : change)),
    };
    this.sent.push(push);
    return push;
  }

  private newChange(): SentChange {
    const collection = COLLECTIONS[this.below(2)] as string;
    const docId = `d${this.below(8)}`;
    const operation = this.random() < 0.2 ? 'delete' : 'upsert';
    const number = (this.shared.markers += 1);
    const known = this.documents.get(`${collection} ${docId}`)?.version ?? null;
    return {
      collection,
      docId,
      operation,
      mutation: `m${number}`,
      parent: this.random() < 0.15 ? null : known,
      hlc: null,
      marker: operation === 'delete' ? null : `${this.tenant}-${number}`,
      flaw: this.random() < 0.03 ? (this.random() < 0.5 ? 'shape' : 'clock-ahead') : null,
    };
  }

  private repeat(): void {
    const earlier = this.sent[this.below(this.sent.length)];
    if (earlier === undefined) return;
    // In other company, by half.
    const changes =
      this.random() < 0.5
        ? earlier.changes
        : [{ ...(earlier.changes[0] as SentChange), group: undefined }, this.newChange()];
    this.push({ ...earlier, changes });
  }

  private push({ client, atomic, changes }: Pick<PushEvent, 'client' | 'atomic' | 'changes'>): void {
    const sentAt = this.tick();
    const lost = this.random() < 0.1;
    const arrived = !lost || this.random() < 0.5;
    const results = arrived ? this.commit(client, atomic, changes) : null;
    this.events.push({
      kind: 'push',
      id: (this.shared.pushes += 1),
      tenant: this.tenant,
      client,
      atomic,
      sentAt,
      answeredAt: this.tick(),
      answer: lost
        ? this.random() < 0.5
          ? null
          : { status: 503, code: 'busy' }
        : { status: 200, code: null },
      changes,
      results: lost ? null : results,
    });
  }

  private commit(client: string, atomic: string, changes: readonly SentChange[]): ChangeResult[] {
    const fallen = new Set<string>();
    const parts: { together: boolean; changes: SentChange[] }[] = [];
    for (const change of changes) {
      const last = parts.at(-1);
      const isNext =
        atomic === 'batch' || (change.group !== undefined && last?.changes[0]?.group === change.group);
      if (last && isNext) last.changes.push(change);
      else parts.push({ together: atomic === 'batch' || change.group !== undefined, changes: [change] });
    }
    return parts.flatMap((part) => this.commitPart(client, part, fallen));
  }

  /** All, or with a rejection nothing, where the changes stand or fall together. */
  private commitPart(
    client: string,
    { together, changes }: { readonly together: boolean; readonly changes: readonly SentChange[] },
    fallen: Set<string>,
  ): ChangeResult[] {
    const undo = {
      log: this.log.length,
      documents: new Map(this.documents),
      receipts: new Map(this.receipts),
    };
    const version = this.shared.version;
    const results = changes.map((change) => this.apply(client, change, fallen));
    if (!together || results.every(({ status }) => status !== 'rejected')) return results;
    this.log.length = undo.log;
    this.shared.version = version;
    restore(this.documents, undo.documents);
    restore(this.receipts, undo.receipts);
    return results.map((result, index) => {
      const change = changes[index] as SentChange;
      const isUndone = !result.replayed && result.status !== 'rejected';
      if (isUndone || result.status === 'rejected') fallen.add(`${change.collection} ${change.docId}`);
      if (isUndone) return rejected(result.docId, 'batch_rolled_back');
      if (result.replayed || result.code !== 'conflict_stale') return result;
      // What was refused stays so; the document is shown as it stands.
      const stored = this.documents.get(`${change.collection} ${change.docId}`);
      const refusal = stored ? { ...result, ...shownOf(stored) } : result;
      this.receipts.set(keyOf(client, change), refusal);
      return refusal;
    });
  }

  private apply(client: string, change: SentChange, fallen: ReadonlySet<string>): ChangeResult {
    const key = keyOf(client, change);
    const receipt = this.receipts.get(key);
    if (receipt !== undefined) return { ...receipt, replayed: true };
    if (change.flaw !== null) {
      return rejected(change.docId, change.flaw === 'shape' ? 'invalid_data' : 'clock_drift');
    }
    if (fallen.has(`${change.collection} ${change.docId}`)) return rejected(change.docId, 'parent_refused');
    const result = this.decide(change);
    this.receipts.set(key, result);
    return result;
  }

  private decide(change: SentChange): ChangeResult {
    const { collection, docId, operation, marker, parent } = change;
    const stored = this.documents.get(`${collection} ${docId}`);
    if (stored?.operation === 'delete' && operation === 'delete') return accepted(docId, stored.version);
    if (stored !== undefined && stored.version !== parent) {
      return {
        ...rejected(docId, 'conflict_stale'),
        ...shownOf(stored),
      };
    }
    return accepted(docId, this.write(collection, docId, operation, marker).version);
  }

  private write(
    collection: string,
    docId: string,
    operation: 'upsert' | 'patch' | 'delete',
    marker: string | null,
  ): Seen {
    const entry: Seen = {
      version: versionOf((this.shared.version += 1)),
      seq: this.log.length + 1,
      collection,
      docId,
      operation,
      marker,
      digest: marker === null ? null : `digest of ${marker}`,
    };
    this.log.push(entry);
    this.documents.set(`${collection} ${docId}`, entry);
    return entry;
  }

  private appWrite(): void {
    const marker = `${this.tenant}-app-${(this.shared.markers += 1)}`;
    const sentAt = this.tick();
    this.write('notes', `app-${marker}`, 'upsert', marker);
    const answer = { status: 201, code: null };
    this.events.push({
      kind: 'app-write',
      tenant: this.tenant,
      sentAt,
      answeredAt: this.tick(),
      answer,
      marker,
    });
  }

  /** One page; whether there is more. */
  private pull(reader: string, collections: readonly string[] | null, limit: number): boolean {
    const name = collections === null ? reader : `${reader}-${collections.join('-')}`;
    const since = this.cursors.get(name) ?? null;
    const sentAt = this.tick();
    const asked = this.log.filter(
      ({ version, collection }) =>
        version > (since ?? '') && (collections === null || collections.includes(collection)),
    );
    const changes = asked.slice(0, limit);
    const hasMore = asked.length > limit;
    const last = hasMore ? changes.at(-1) : this.log.at(-1);
    const lastSeq = last?.version ?? since ?? '19700101T000000.000Z-0000-0';
    this.cursors.set(name, lastSeq);
    this.events.push({
      ...{ kind: 'pull', reader: name, tenant: this.tenant, since, collections, sentAt },
      answeredAt: this.tick(),
      answer: { status: 200, code: null },
      page: { changes, lastSeq, seq: last?.seq ?? 0, hasMore },
    });
    return hasMore;
  }

  private full(reader: string): void {
    const sentAt = this.tick();
    const rows = [...this.documents.values()].map((entry): FullRow => ({
      collection: entry.collection,
      docId: entry.docId,
      deleted: entry.operation === 'delete',
      version: entry.version,
      digest: entry.digest,
      marker: entry.marker,
    }));
    const lastSeq = this.log.at(-1)?.version ?? '19700101T000000.000Z-0000-0';
    const answer = { status: 200, code: null };
    this.events.push({
      kind: 'full',
      reader,
      tenant: this.tenant,
      sentAt,
      answeredAt: this.tick(),
      answer,
      rows,
      lastSeq,
    });
  }

  private listen(listener: Listener): void {
    if (!listener.connected) {
      this.connect(listener);
      return;
    }
    const dice = this.random();
    if (dice < 0.7) this.deliver(listener, Math.min(this.log.length, listener.next + 1 + this.below(5)));
    else if (dice < 0.85) {
      const lastSeq = this.log[listener.next - 1]?.version ?? null;
      this.tell(listener, { is: 'ping', lastSeq });
    } else {
      listener.connected = false;
      this.tell(listener, { is: 'closed', code: 1006 });
    }
  }

  private connect(listener: Listener): void {
    listener.connection += 1;
    listener.connected = true;
    const since = this.log[listener.next - 1]?.version ?? null;
    this.tell(listener, { is: 'subscribed', since, collections: listener.collections });
  }

  private deliver(listener: Listener, end: number): void {
    for (; listener.next < end; listener.next += 1) {
      const entry = this.log[listener.next] as Seen;
      if (listener.collections === null || listener.collections.includes(entry.collection)) {
        this.tell(listener, { is: 'entry', entry });
      }
    }
  }

  private tell({ reader, connection }: Listener, what: StreamEvent['what']): void {
    this.events.push({ kind: 'stream', reader, tenant: this.tenant, connection, at: this.tick(), what });
  }

  private tick(): number {
    return (this.shared.time += 1);
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }
}

export function accepted(docId: string | null, newVersion: string): ChangeResult {
  return { ...rejected(docId, null), status: 'accepted', newVersion };
}

export function rejected(docId: string | null, code: string | null): ChangeResult {
  return {
    docId,
    status: 'rejected',
    newVersion: null,
    serverVersion: null,
    code,
    replayed: false,
    serverDocument: null,
  };
}

function keyOf(client: string, { mutation }: SentChange): string {
  return `${client} ${mutation ?? ''}`;
}

function shownOf({ version, operation }: Seen): Pick<ChangeResult, 'serverVersion' | 'serverDocument'> {
  return { serverVersion: version, serverDocument: { version, deleted: operation === 'delete' } };
}

function restore<K, V>(map: Map<K, V>, before: ReadonlyMap<K, V>): void {
  map.clear();
  for (const [key, value] of before) map.set(key, value);
}

function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
