import type { DigestEvent, FullEvent, LeakEvent, PullEvent, PushEvent, Tenant } from '../history';
import { Device, type Credentials, type Outgoing, type PullQuestion } from '../wire/device';
import { Endpoints } from '../wire/endpoints';
import { foreignAt, secretsOf } from '../wire/marker';
import { SeenPool } from '../wire/seen-pool';
import type { Journal } from './journal';
import { noFeatures, type Features } from './features';
import type { Token, WorkloadCollection } from './options';
import type { Settings } from './settings';

const RECENT = 64;

/** A document that was acknowledged, as far as its tenant knows it. */
export interface KnownDocument {
  readonly collection: string;
  readonly docId: string;
  readonly version: string;
}

/** Another scope than the identity's own. */
export interface NamedScope {
  readonly name: string;
  /** Tells it from other scopes of the run; digits. */
  readonly number: number;
  readonly access: 'read' | 'write';
}

/** One tenant in one scope: its devices, and what they know together. */
export class Party {
  readonly secret: string;
  readonly pool: SeenPool;
  readonly token: () => string;
  /** For names of readers: unlike that of any other party. */
  readonly label: string;
  /** For ids, which may be shared by all scopes. */
  readonly idRun: string;
  /** What the server has beyond the first wire, here. */
  features: Features = noFeatures;
  /** Those of the run that live in this scope. */
  collections: readonly WorkloadCollection[];
  /** Names of those that take patches. */
  patchable: ReadonlySet<string> = new Set();
  readonly credentials: Credentials;
  private devices = 0;
  private readonly open = new Set<Device>();
  /** Newest acknowledged version by collection. */
  private readonly newest = new Map<string, string>();
  /** Latest acknowledged versions: cursors that a log surely has. */
  private readonly recent: KnownDocument[] = [];

  constructor(
    readonly tenant: Tenant,
    token: Token,
    readonly settings: Settings,
    readonly journal: Journal,
    readonly scope?: NamedScope,
  ) {
    const { run } = settings;
    this.label = scope === undefined ? tenant : `${tenant}-s${String(scope.number)}`;
    this.idRun = scope === undefined ? run : `${run}s${String(scope.number)}`;
    this.collections = settings.collections;
    const secrets = secretsOf(run, scope === undefined ? tenant : `scope ${scope.name}`);
    this.secret = secrets.own;
    const patched = new Map(
      settings.collections.flatMap(({ name, patch }) => (patch === undefined ? [] : [[name, patch]])),
    );
    const reading = { secrets, patched };
    this.pool = new SeenPool(reading);
    this.token = typeof token === 'string' ? () => token : token;
    this.credentials = {
      token: this.token,
      reading,
      pool: this.pool,
      ...(scope === undefined ? {} : { scope: scope.name }),
      serverTime: (date) => journal.hearServerTime(date),
      stray: (what) => journal.add({ kind: 'stray', tenant, at: journal.now(), what }),
      received: (bytes, where) => {
        if (foreignAt(bytes, secrets) < 0) return;
        const leak: LeakEvent = { kind: 'leak', to: tenant, at: journal.now(), where };
        journal.add(leak);
      },
    };
  }

  get names(): readonly string[] {
    return this.collections.map(({ name }) => name);
  }

  /** Each begins with another server. */
  device(): Device {
    const { urls, prefix, answerLimitMs, silenceLimitMs } = this.settings;
    const endpoints = new Endpoints(urls, this.devices++);
    const device = new Device(this.credentials, endpoints, prefix, { answerLimitMs, silenceLimitMs });
    this.open.add(device);
    return device;
  }

  /** Closes what its devices have open. */
  close(): void {
    for (const device of this.open) device.close();
  }

  /** Each server in turn. */
  base(): string {
    return this.settings.urls[this.devices++ % this.settings.urls.length] ?? '';
  }

  /** The newest version that a reader of these collections must reach; null when nothing was acknowledged. */
  target(collections: readonly string[] | null): string | null {
    let target: string | null = null;
    for (const [collection, version] of this.newest)
      if ((collections === null || collections.includes(collection)) && (target === null || version > target))
        target = version;
    return target;
  }

  /** A version that was acknowledged lately; the larger `share` (0 to 1), the older. */
  recentVersion(share: number): string | null {
    return this.someDocument(share)?.version ?? null;
  }

  /** A document that was acknowledged lately. */
  someDocument(share: number): KnownDocument | undefined {
    return this.recent[Math.floor((1 - share) * (this.recent.length - 1))];
  }

  async push(
    device: Device,
    client: string,
    atomic: 'batch' | 'mutation',
    changes: readonly Outgoing[],
    overSocket = false,
  ): Promise<PushEvent> {
    const { journal } = this;
    const id = journal.nextPushId();
    const sentAt = journal.now();
    const { answer, results } = overSocket
      ? await device.pushOverSocket(this.settings.streamPath, client, atomic, changes)
      : await device.push(client, atomic, changes);
    const answeredAt = journal.now();
    const sent = changes.map((change) => change.sent);
    const event: PushEvent = {
      kind: 'push',
      ...this.log,
      ...{ id, client, atomic, sentAt, answeredAt, answer, results },
      ...(overSocket ? { via: 'socket' } : {}),
      changes: sent,
    };
    results?.forEach(({ newVersion: version }, index) => {
      const change = sent[index];
      if (version !== null && change) this.acknowledge({ ...change, version });
    });
    journal.add(event);
    return event;
  }

  async pull(device: Device, reader: string, question: PullQuestion): Promise<PullEvent> {
    const { journal } = this;
    const { since, sinceSeq, collections } = question;
    const sentAt = journal.now();
    const { answer, page } = await device.pull(question);
    const answeredAt = journal.now();
    const event: PullEvent = {
      kind: 'pull',
      ...this.log,
      ...{ reader, since, collections, sentAt, answeredAt, answer, page },
      ...(sinceSeq === undefined ? {} : { bySeq: true }),
    };
    journal.add(event);
    return event;
  }

  async full(device: Device, reader: string, limit: number): Promise<FullEvent> {
    const { journal } = this;
    const sentAt = journal.now();
    const full = await device.full(limit);
    const event: FullEvent = {
      kind: 'full',
      ...this.log,
      ...{ reader, sentAt, answeredAt: journal.now(), ...full },
    };
    journal.add(event);
    return event;
  }

  async digest(device: Device, reader: string): Promise<DigestEvent> {
    const { journal } = this;
    const sentAt = journal.now();
    const digest = await device.digest();
    const event: DigestEvent = {
      kind: 'digest',
      ...this.log,
      ...{ reader, sentAt, answeredAt: journal.now(), ...digest },
    };
    journal.add(event);
    return event;
  }

  /** Of which log an event is. */
  get log(): { readonly tenant: Tenant; readonly scope?: string } {
    const { tenant, scope } = this;
    return { tenant, ...(scope === undefined ? {} : { scope: scope.name }) };
  }

  private acknowledge({ collection, docId, version }: KnownDocument): void {
    const newest = this.newest.get(collection);
    if (newest === undefined || version > newest) this.newest.set(collection, version);
    this.recent.push({ collection, docId, version });
    if (this.recent.length > RECENT) this.recent.shift();
  }
}
