import {
  createSyncClient,
  type ClientSocket,
  type Status,
  type ClientStorage,
} from 'nest-offline-sync-client';
import { collections, counters, planEdit, type DeviceClient, type OneScope } from './edits';
import type { DeviceEvent, Held, HeldDatabase, HeldRow, User } from './events';
import { Chance } from './random';
import { Tap } from './tap';

export interface AgentOptions {
  readonly storage: ClientStorage;
  readonly tell: (event: DeviceEvent) => void | Promise<void>;
  readonly socket: (url: string) => ClientSocket;
}

/** How edits are made: of which round, how far apart. */
export interface Work {
  readonly round: number;
  readonly seed: number;
  /** Longest time between two edits. Milliseconds. */
  readonly paceMs: number;
  /** Of this device and this process, in markers. */
  readonly process: string;
}

const APP = 'devices';

/** What runs on a device, in a page or in a process: the client, and a user who edits at random. Its answers are JSON. */
export class Agent {
  client: DeviceClient | undefined;
  private own: OneScope | undefined;
  private user: User | undefined;
  private isWorking = false;
  private working: Promise<void> = Promise.resolve();
  private told = 0;
  private edits = 0;
  private readonly leave: (() => void)[] = [];

  constructor(private readonly options: AgentOptions) {}

  /** @param url of the server, as this device reaches it */
  async open(url: string, user: User): Promise<void> {
    const { storage, socket } = this.options;
    const tap = new Tap(user.business, (wire) => this.tell({ is: 'wire', wire }), socket);
    this.user = user;
    const client: DeviceClient = createSyncClient({
      url: `${url}/sync`,
      app: APP,
      storage,
      auth: {
        token: () => user.token,
        identity: (claims) => ({ scope: String(claims['business_id']), actor: String(claims['user_id']) }),
      },
      collections,
      environment: tap.environment(),
    });
    client.on('ended', (error) => void this.tell({ is: 'ended', code: codeOf(error) }));
    client.on(
      'storage-lost',
      ({ pendingLost }) => void this.tell({ is: 'wrong', what: `storage-lost with ${pendingLost} edits` }),
    );
    await client.open();
    this.client = client;
    this.own = await client.scope(`user:${user.name}`);
    for (const scope of [client, this.own]) {
      this.watch(scope);
      for (const { id } of (await scope.export()).outbox) void this.settle(scope, id);
    }
  }

  /** A count that has been shown never falls. */
  private watch(scope: OneScope): void {
    const shown = new Map<string | number, number>();
    const live = scope.db.notes.live({ filter: ({ _id }) => String(_id).startsWith('count-') });
    this.leave.push(
      live.subscribe(({ rows }) => {
        for (const { _id, n = 0 } of rows) {
          const before = shown.get(_id) ?? 0;
          if (n < before)
            void this.tell({ is: 'wrong', what: `${_id} was shown as ${before}, then as ${n}` });
          shown.set(_id, n);
        }
      }),
    );
  }

  work(work: Work): void {
    this.isWorking = true;
    this.working = this.edit(work);
  }

  /** No more edits once this has resolved. */
  async rest(): Promise<void> {
    this.isWorking = false;
    await this.working;
  }

  /** Everything is sent and read, or the time is over. Gives how it stands. */
  async calm(limitMs: number): Promise<{ readonly isCalm: boolean; readonly status: readonly Status[] }> {
    const both = [this.client, this.own].filter((each) => each !== undefined);
    const done = await Promise.all(both.map((each) => each.syncOnce({ deadlineMs: limitMs })));
    return { isCalm: done.every(Boolean), status: both.map((each) => each.status.current) };
  }

  status(): Status | undefined {
    return this.client?.status.current;
  }

  async logout(unsent: 'keep' | 'discard' | 'flush'): Promise<boolean> {
    const { client, own } = this;
    if (!client) return false;
    await this.rest();
    try {
      if (unsent === 'discard') {
        for (const each of [client, own]) await this.giveUp(each);
      }
      await client.logout({ unsent, timeoutMs: 3_000 });
    } catch (error) {
      // With flush, and the network away: the user stays.
      if (codeOf(error) !== 'unsent_changes') throw error;
      return false;
    }
    this.closed();
    return true;
  }

  async close(): Promise<void> {
    await this.rest();
    await this.client?.close();
    this.closed();
  }

  /** Everything that the storage holds, read past the client. */
  async held(): Promise<Held> {
    const { storage } = this.options;
    const databases: HeldDatabase[] = [];
    const keys = new Map<string, string>();
    const names = await storage.list();
    if (names.includes(`${APP}.clients`)) {
      const registry = await storage.open(`${APP}.clients`);
      for (const [key, value] of await registry.transaction('read', ['meta'], ({ meta }) => meta.range()))
        keys.set((value as { name?: string }).name ?? '', key);
      await registry.close();
    }
    for (const name of names) {
      if (name === `${APP}.clients`) continue;
      const database = await storage.open(name);
      databases.push(
        await database.transaction('read', ['base', 'view', 'outbox', 'rejected', 'meta'], async (all) => {
          const base: HeldRow[] = [];
          const rows: unknown[] = [];
          for (const collection of Object.keys(collections)) {
            for (const row of await all.base.scan(collection))
              if (!row.local) base.push({ collection, id: row.id, version: row.version, data: row.data });
            rows.push(...(await all.view.scan(collection)));
          }
          const outbox = (await all.outbox.range()).map(
            ([, value]) => value as HeldDatabase['outbox'][number],
          );
          const refused = (await all.rejected.range()).map(
            ([, value]) => value as { changes: { mutation: string }[] },
          );
          const position = (await all.meta.get('position')) as { cursor?: string } | undefined;
          return {
            ...{ name, key: keys.get(name) ?? null, base, cursor: position?.cursor },
            outbox: outbox.map(({ id, state }) => ({ id, state })),
            refused: refused.flatMap(({ changes }) => changes.map(({ mutation }) => mutation)),
            text: JSON.stringify([base, rows, outbox, refused]),
          };
        }),
      );
      await database.close();
    }
    return { databases, told: this.told };
  }

  /** The marks of this round's counters, as the user sees them. */
  async marks(round: number): Promise<string[]> {
    const found: string[] = [];
    for (const scope of [this.client, this.own])
      for (const id of counters(round)) found.push(...((await scope?.db.notes.get(id))?.marks ?? []));
    return found;
  }

  private closed(): void {
    for (const leave of this.leave.splice(0)) leave();
    this.client = this.own = this.user = undefined;
  }

  private async giveUp(scope: OneScope | undefined): Promise<void> {
    const { outbox, rejected } = (await scope?.export()) ?? { outbox: [], rejected: [] };
    const mutations = [
      ...outbox.map(({ id }) => id),
      ...rejected.flatMap(({ changes }) => changes.map(({ mutation }) => mutation)),
    ];
    void this.tell({ is: 'giving-up', mutations });
  }

  private async edit({ round, seed, paceMs, process }: Work): Promise<void> {
    const chance = new Chance(seed);
    while (this.isWorking) {
      await new Promise((resolve) => setTimeout(resolve, chance.next() * paceMs));
      const { client, own, user } = this;
      if (!this.isWorking || !client || !own || !user) continue;
      const number = ++this.edits;
      const { kind, marker, make } = planEdit({
        ...{ client, business: user.business, round, chance },
        own: { name: `user:${user.name}`, scope: own },
        marker: (scope, weight, isSale) =>
          `~${scope}~r${round}.${process}.${number}${isSale ? '$' : '+'}${weight}`,
        givingUp: (mutations) => void this.tell({ is: 'giving-up', mutations }),
      });
      void this.tell({ is: 'begun', marker });
      try {
        const mutations = (await make()).flatMap((each) => each.mutation ?? []);
        void this.tell({ is: 'kept', marker, kind, mutations });
        for (const mutation of mutations)
          void this.settle(marker.startsWith('~user:') ? own : client, mutation);
      } catch (error) {
        void this.tell({ is: 'failed', marker, code: codeOf(error) });
      }
    }
  }

  private async settle(scope: OneScope, mutation: string): Promise<void> {
    const end = await scope.settled(mutation).catch(() => undefined);
    if (!end) return;
    const code = end.status === 'rejected' ? end.entry.code : undefined;
    void this.tell({ is: 'settled', mutation, status: end.status, ...(code === undefined ? {} : { code }) });
  }

  private async tell(event: DeviceEvent): Promise<void> {
    this.told += 1;
    await this.options.tell(event);
  }
}

function codeOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  return code ?? message ?? String(error);
}

/** The calls of an agent by name, as both kinds of devices are asked. */
export type AgentCalls = Pick<
  Agent,
  'open' | 'work' | 'rest' | 'calm' | 'status' | 'logout' | 'close' | 'held' | 'marks'
>;
