import type { FullEvent, LeakEvent, PullEvent, PushEvent, Tenant } from '../history';
import { Device, type Credentials, type Outgoing, type PullQuestion } from '../wire/device';
import { Endpoints } from '../wire/endpoints';
import { secretOf } from '../wire/marker';
import { SeenPool } from '../wire/seen-pool';
import type { Journal } from './journal';
import type { Token } from './options';
import type { Settings } from './settings';

const RECENT = 64;

/** A document that was acknowledged, as far as its tenant knows it. */
export interface KnownDocument {
  readonly collection: string;
  readonly docId: string;
  readonly version: string;
}

/** One tenant: its devices, and what they know together. */
export class Party {
  readonly secret: string;
  readonly pool: SeenPool;
  readonly token: () => string;
  private readonly credentials: Credentials;
  private devices = 0;
  /** Newest acknowledged version by collection. */
  private readonly newest = new Map<string, string>();
  /** Latest acknowledged versions: cursors that a log surely has. */
  private readonly recent: KnownDocument[] = [];

  constructor(
    readonly tenant: Tenant,
    token: Token,
    readonly settings: Settings,
    readonly journal: Journal,
  ) {
    const { run } = settings;
    this.secret = secretOf(run, tenant);
    const foreign = secretOf(run, tenant === 'main' ? 'other' : 'main');
    const secrets = { own: this.secret, foreign };
    this.pool = new SeenPool(secrets);
    this.token = typeof token === 'string' ? () => token : token;
    this.credentials = {
      token: this.token,
      secrets,
      pool: this.pool,
      serverTime: (date) => journal.hearServerTime(date),
      received: (bytes, where) => {
        if (!bytes.includes(foreign)) return;
        const leak: LeakEvent = { kind: 'leak', to: tenant, at: journal.now(), where };
        journal.add(leak);
      },
    };
  }

  /** Each begins with another server. */
  device(): Device {
    const { urls, prefix, answerLimitMs, silenceLimitMs } = this.settings;
    const endpoints = new Endpoints(urls, this.devices++);
    return new Device(this.credentials, endpoints, prefix, { answerLimitMs, silenceLimitMs });
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
  ): Promise<PushEvent> {
    const { journal, tenant } = this;
    const id = journal.nextPushId();
    const sentAt = journal.now();
    const { answer, results } = await device.push(client, atomic, changes);
    const answeredAt = journal.now();
    const sent = changes.map((change) => change.sent);
    const event: PushEvent = {
      kind: 'push',
      ...{ id, tenant, client, atomic, sentAt, answeredAt, answer, results },
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
    const { journal, tenant } = this;
    const { since, collections } = question;
    const sentAt = journal.now();
    const { answer, page } = await device.pull(question);
    const answeredAt = journal.now();
    const event: PullEvent = {
      kind: 'pull',
      ...{ reader, tenant, since, collections, sentAt, answeredAt, answer, page },
    };
    journal.add(event);
    return event;
  }

  async full(device: Device, reader: string, limit: number): Promise<FullEvent> {
    const { journal, tenant } = this;
    const sentAt = journal.now();
    const { answer, rows, lastSeq } = await device.full(limit);
    const answeredAt = journal.now();
    const event: FullEvent = { kind: 'full', reader, tenant, sentAt, answeredAt, answer, rows, lastSeq };
    journal.add(event);
    return event;
  }

  private acknowledge({ collection, docId, version }: KnownDocument): void {
    const newest = this.newest.get(collection);
    if (newest === undefined || version > newest) this.newest.set(collection, version);
    this.recent.push({ collection, docId, version });
    if (this.recent.length > RECENT) this.recent.shift();
  }
}
