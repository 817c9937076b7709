import { createRequire } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  collection,
  createSyncClient,
  inc,
  memory,
  type ClientSocket,
  type ClientStorage,
  type Edited,
  type ScopeClient,
} from 'nest-offline-sync-client';
import { sqlite } from 'nest-offline-sync-client/sqlite';
import { betterSqlite3 } from 'nest-offline-sync-client/sqlite/better-sqlite3';
import WebSocket from 'ws';
import { CuttingProxy } from '../../support/cutting-proxy';
import { Chance } from '../devices/random';
import type { Row } from './states';

interface DeviceCustomer {
  business_id: string;
  name: string;
  state: string;
  note?: string;
  device_visits?: number;
}

const collections = { customers: collection<DeviceCustomer>({ ids: 'objectid' }) };
type OneScope = ScopeClient<typeof collections>;

/** All is sent by then. */
const ANSWER_LIMIT_MS = 5_000;
const WEIGHTS = { count: 40, note: 30, create: 12, delete: 8, offline: 5, online: 5 } as const;

export interface DeviceSettings {
  readonly name: string;
  /** For its file; undefined: it keeps everything in memory. */
  readonly folder: string | undefined;
  /** Of the app. */
  readonly port: number;
  /** The first is its own. */
  readonly scopes: readonly string[];
  readonly token: (scope: string, user: string) => string;
  readonly seed: number;
  readonly paceMs: number;
}

/** What a device knows of its own edits. */
export interface DeviceLedger {
  readonly edits: number;
  /** Increments that the server has taken. */
  readonly visits: number;
  readonly created: readonly string[];
  readonly deleted: readonly string[];
  readonly refused: Readonly<Record<string, number>>;
}

/** A device of the SDK with some scopes, and a user who edits at random, offline and online. */
export class ShopDevice {
  private readonly chance: Chance;
  private readonly client;
  private readonly scopes = new Map<string, OneScope>();
  private readonly counts: string[] = [];
  private readonly made: { readonly scope: string; readonly id: string; readonly mutation: string }[] = [];
  private readonly gone: { readonly id: string; readonly mutation: string }[] = [];
  private readonly outcomes = new Map<string, Promise<string>>();
  private edits = 0;
  private isOver = false;
  private work: Promise<void> = Promise.resolve();

  private constructor(
    private readonly settings: DeviceSettings,
    private readonly proxy: CuttingProxy,
  ) {
    const { name, folder, scopes, token } = settings;
    const [own = ''] = scopes;
    this.chance = new Chance(settings.seed);
    this.client = createSyncClient({
      url: `http://127.0.0.1:${String(proxy.port)}/sync`,
      app: name,
      storage: storageIn(folder, name),
      auth: {
        token: () => Promise.resolve(token(own, name)),
        identity: (claims) => ({ scope: String(claims['business_id']), actor: String(claims['user_id']) }),
      },
      collections,
      environment: { socket: (url) => new WebSocket(url) as unknown as ClientSocket },
    });
  }

  static async open(settings: DeviceSettings): Promise<ShopDevice> {
    const device = new ShopDevice(settings, await CuttingProxy.before(settings.port));
    await device.client.open();
    for (const scope of settings.scopes) device.scopes.set(scope, await device.client.scope(scope));
    return device;
  }

  get name(): string {
    return this.settings.name;
  }

  has(scope: string): boolean {
    return this.scopes.has(scope);
  }

  begin(): void {
    this.work = this.edit();
    this.work.catch(() => undefined);
  }

  /** No more edits once this has resolved, and online. */
  async rest(): Promise<void> {
    this.isOver = true;
    await this.work;
    this.setOnline(true);
  }

  /** Everything is sent and read, and what was refused is given up. False: not in time. */
  async calm(limitMs: number): Promise<boolean> {
    const done = await Promise.all(
      [...this.scopes.values()].map((scope) => scope.syncOnce({ deadlineMs: limitMs })),
    );
    for (const scope of this.scopes.values())
      for (const { id } of await scope.rejected.list()) await scope.rejected.discard(id);
    return done.every(Boolean);
  }

  /** What its user sees. */
  async rows(scope: string): Promise<Row[]> {
    const rows = (await this.scopes.get(scope)?.db.customers.find()) ?? [];
    return rows.map(({ _id, ...data }) => ({ id: String(_id), data }));
  }

  async ledger(): Promise<DeviceLedger> {
    const ends = new Map<string, string>();
    const refused: Record<string, number> = {};
    for (const [mutation, outcome] of this.outcomes) {
      const end = await Promise.race([outcome, delay(ANSWER_LIMIT_MS, 'unclear')]);
      ends.set(mutation, end);
      if (end !== 'accepted' && end !== 'resolved') refused[end] = (refused[end] ?? 0) + 1;
    }
    const isTaken = (mutation: string): boolean =>
      ['accepted', 'resolved'].includes(ends.get(mutation) ?? '');
    return {
      edits: this.edits,
      visits: this.counts.filter(isTaken).length,
      created: this.made.filter(({ mutation }) => isTaken(mutation)).map(({ id }) => id),
      deleted: this.gone.filter(({ mutation }) => isTaken(mutation)).map(({ id }) => id),
      refused,
    };
  }

  async close(): Promise<void> {
    this.isOver = true;
    await this.work.catch(() => undefined);
    await this.client.close();
    await this.proxy.close();
  }

  private async edit(): Promise<void> {
    const { chance, settings } = this;
    while (!this.isOver) {
      await delay(chance.next() * settings.paceMs);
      const [name, scope] = chance.one([...this.scopes]);
      await this.one(name, scope);
    }
  }

  private async one(name: string, scope: OneScope): Promise<void> {
    const { chance } = this;
    const { customers } = scope.db;
    const kind = chance.weighted(WEIGHTS);
    switch (kind) {
      case 'offline':
      case 'online':
        return this.setOnline(kind === 'online');
      case 'create': {
        const fields = { business_id: name, name: `By ${this.name}`, state: 'device' };
        const edited = await customers.create(fields);
        const mutation = this.kept(scope, edited);
        this.made.push({ scope: name, id: String(edited.id), mutation });
        return;
      }
      case 'delete': {
        const dead = new Set(this.gone.map(({ id }) => id));
        const own = this.made.filter((made) => made.scope === name && !dead.has(made.id));
        if (own.length === 0) return;
        const { id } = chance.one(own);
        const edited = await customers.delete(id);
        // What was never sent is taken back, both edits.
        this.gone.push({ id, mutation: this.kept(scope, edited) });
        return;
      }
      case 'count':
      case 'note': {
        const state = kind === 'count' ? 'hot' : 'open';
        const rows = await customers.find({ where: { state }, limit: 200 });
        if (rows.length === 0) return;
        const { _id } = chance.one(rows);
        const fields = kind === 'count' ? { device_visits: inc(1) } : { note: `n${String(this.edits)}` };
        const mutation = this.kept(scope, await customers.patch(_id, fields));
        if (kind === 'count') this.counts.push(mutation);
      }
    }
  }

  private kept(scope: OneScope, { mutation = '' }: Edited): string {
    this.edits += 1;
    if (mutation !== '' && !this.outcomes.has(mutation))
      this.outcomes.set(
        mutation,
        scope.settled(mutation).then((end) => {
          if (end?.status === 'rejected') return end.entry.code;
          return end?.status ?? 'forgotten';
        }),
      );
    return mutation;
  }

  private setOnline(isOnline: boolean): void {
    // Nobody listens at port 1.
    this.proxy.aim(isOnline ? this.settings.port : 1);
    if (!isOnline) this.proxy.cutAll();
  }
}

function storageIn(folder: string | undefined, name: string): ClientStorage {
  if (folder === undefined) return memory();
  const Database = createRequire(__filename)('better-sqlite3');
  return sqlite(() => betterSqlite3(new Database(join(folder, `${name}.db`))));
}
