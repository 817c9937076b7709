import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PageServer } from '../../support/page-server';
import type { ServerProcess } from '../faults/server-process';
import { BrowserDevice, NodeDevice, type Device } from './device';
import { counters, stock } from './edits';
import type { HeldDatabase, Held, User } from './events';
import { Journal } from './journal';
import {
  judgeCounters,
  judgeEqual,
  judgeForward,
  judgeIsolation,
  judgeLedger,
  judgeStock,
  scopeOf,
} from './oracle';
import { Chance } from './random';
import { ServerEye } from './server-state';
import { judge } from '../../../libs/conformance/src/oracle/judge';
import { WireHistory } from './wire-history';
import { disturb, type Disturbed, type Life } from './trouble';

export interface CheckOptions {
  readonly seed: number;
  /** How long devices edit, all rounds together. */
  readonly lengthMs: number;
  readonly roundMs: number;
  readonly server: ServerProcess;
  readonly token: (business: string, user: string) => string;
  readonly folder: string;
  /** Longest time between two edits of a device. */
  readonly paceMs: number;
  /** Whether the server is killed and restarted. */
  readonly restarts: boolean;
  /** How long it may take until all devices are equal, once nothing is wrong. */
  readonly calmMs: number;
  readonly onRound?: (round: number, figures: Figures) => void;
}

export interface Figures {
  readonly rounds: number;
  /** Edits whose promise resolved, by kind. */
  readonly kept: Readonly<Record<string, number>>;
  readonly failed: Readonly<Record<string, number>>;
  /** How mutations ended. */
  readonly settled: Readonly<Record<string, number>>;
  readonly givenUp: number;
  readonly unclear: number;
  /** Facts of the wire that the oracles of the conformance kit have compared. */
  readonly judged: number;
  readonly trouble: Readonly<Record<string, number>>;
  /** From the end of all trouble until all devices had sent and read everything. */
  readonly longestCalmMs: number;
}

export interface Checked {
  readonly figures: Figures;
  /** What must not be, one line each. */
  readonly findings: readonly string[];
}

/** Two browsers and a process are devices of one business; now and then somebody of another business uses them. */
export async function checkDevices(options: CheckOptions): Promise<Checked> {
  const app = await PageServer.of(join(__dirname, '../../e2e/client/page/device.ts'));
  const check = new Check(options, app.url);
  try {
    return await check.run();
  } finally {
    await check.close();
    await app.close();
  }
}

class Check {
  private readonly chance: Chance;
  private readonly lives: Life[] = [];
  private readonly eye: ServerEye;
  private readonly findings: string[] = [];
  private readonly trouble: Record<string, number> = {};
  private readonly before = new Map<string, HeldDatabase>();
  private readonly run_ = randomBytes(3).readUIntBE(0, 3);
  private readonly wires = new WireHistory(`b${String(this.run_)}1`);
  private readonly journal = new Journal(this.wires);
  private rounds = 0;
  private unclear = 0;
  private judged = 0;
  private longestCalmMs = 0;

  constructor(
    private readonly options: CheckOptions,
    private readonly app: string,
  ) {
    this.chance = new Chance(options.seed);
    this.eye = new ServerEye(`http://127.0.0.1:${String(options.server.settings.port)}`, this.wires);
  }

  async run(): Promise<Checked> {
    const { lengthMs, roundMs } = this.options;
    await this.start();
    const end = performance.now() + lengthMs;
    do {
      this.rounds += 1;
      await this.prepare();
      await this.trouble_(Math.min(roundMs, Math.max(1_000, end - performance.now())));
      await this.judge();
      this.options.onRound?.(this.rounds, this.figures());
    } while (performance.now() < end && this.findings.length === 0);
    return { figures: this.figures(), findings: this.findings };
  }

  async close(): Promise<void> {
    await Promise.all(this.lives.map(({ device }) => device.close().catch(() => undefined)));
  }

  private async start(): Promise<void> {
    const { folder, server, token } = this.options;
    const user = (business: number, name: string): User => {
      const own = `b${String(this.run_)}${String(business)}`;
      return {
        name: `${name}${String(this.run_)}`,
        business: own,
        token: token(own, `${name}${String(this.run_)}`),
      };
    };
    const port = server.proxy.port;
    const kinds = ['tab-a', 'tab-b', 'node'].map((name) => ({ name, folder: join(folder, name) }));
    for (const { name, folder: own } of kinds) {
      await mkdir(own, { recursive: true });
      const settings = { name, folder: own, journal: this.journal, port };
      const device: Device =
        name === 'node' ? new NodeDevice(settings) : new BrowserDevice(settings, this.app);
      // Users of the second business use all devices; their private scope is on all of them.
      const users = [user(1, name.replace('-', '')), user(2, 'zoe')] as const;
      const chance = new Chance(this.chance.between(1, 1e9));
      this.lives.push({ device, users, user: users[0], past: new Set(), chance });
      await device.start();
      await device.call('open', device.url, users[0]);
    }
  }

  private everyUser(): User[] {
    return [...new Map(this.lives.flatMap(({ users }) => users.map((user) => [user.name, user]))).values()];
  }

  /** Documents of the round, that devices meet at. */
  private async prepare(): Promise<void> {
    const note = (id: string): object => ({
      ...{ collection: 'notes', operation: 'upsert', doc_id: id, parent_version: null },
      data: { n: 0, marks: [] },
    });
    const businesses = new Set<string>();
    for (const user of this.everyUser()) {
      await this.eye.push(user, counters(this.rounds).map(note), `user:${user.name}`);
      if (businesses.has(user.business)) continue;
      businesses.add(user.business);
      await this.eye.push(user, counters(this.rounds).map(note));
      if (this.rounds === 1)
        await this.eye.push(user, [
          {
            ...{ collection: 'inventory_items', operation: 'upsert', doc_id: stock(user.business) },
            ...{ parent_version: null, data: { name: 'Bell', price: '3.20', quantity: 0 } },
          },
        ]);
    }
  }

  /** Devices edit, and everything goes wrong that can. */
  private async trouble_(ms: number): Promise<void> {
    const { paceMs, server, restarts } = this.options;
    const end = performance.now() + ms;
    const told = (what: Disturbed): void => void (this.trouble[what] = (this.trouble[what] ?? 0) + 1);
    const wrong = (what: string): void => void this.findings.push(what);
    const round = this.rounds;
    await Promise.all([
      ...this.lives.map((life) => disturb(life, { round, paceMs, end, journal: this.journal, told, wrong })),
      restarts ? this.restarts(server, end, told) : undefined,
    ]);
  }

  private async restarts(server: ServerProcess, end: number, told: (what: Disturbed) => void): Promise<void> {
    for (;;) {
      const pause = this.chance.between(4_000, 15_000);
      if (performance.now() + pause > end) return;
      await delay(pause);
      const isKill = this.chance.next() < 0.6;
      told(isKill ? 'server-killed' : 'server-stopped');
      await (isKill ? server.kill() : server.stop());
      await server.restart();
    }
  }

  /** Nothing is wrong any more: all devices become equal to the server, as each of their users. */
  private async judge(): Promise<void> {
    const helds = new Map<string, Held>();
    const logged: ReadonlySet<string>[] = [];
    for (const place of [0, 1, 0]) {
      await Promise.all(this.lives.map((life) => this.switchTo(life, life.users[place as 0 | 1])));
      await this.calm();
      // What others have sent last.
      await this.calm();
      if (helds.size === 0 && place === 0 && logged.length === 0) {
        logged.push(new Set());
        continue;
      }
      for (const { device, users } of this.lives) {
        const held = await device.call('held');
        await this.journal.upTo(device.process, held.told);
        helds.set(`${device.name} ${String(place)}`, held);
        this.findings.push(...judgeIsolation(device.name, held));
        for (const database of held.databases) {
          this.findings.push(
            ...judgeForward(device.name, this.before.get(device.name + database.name), database),
          );
          this.before.set(device.name + database.name, database);
        }
        const user = users[place as 0 | 1];
        for (const scope of [user.business, `user:${user.name}`]) {
          const state = await this.eye.state(user, scope === user.business ? undefined : scope);
          logged.push(state.mutations);
          const database = held.databases.find((each) => scopeOf(each) === scope);
          this.findings.push(
            ...(database
              ? judgeEqual(device.name, database, state)
              : [`${device.name} has no database of ${scope}`]),
            ...judgeCounters(scope, this.rounds, state, this.journal),
            ...(scope === user.business ? judgeStock(user, state) : []),
          );
        }
      }
    }
    const { lost, unclear } = judgeLedger(this.journal, helds, logged, (marker) => this.hasDied(marker));
    this.unclear = unclear;
    this.findings.push(...lost, ...this.journal.wrong, ...this.judgeWires());
  }

  /** What the devices sent and were given is in order too, for the oracles of the conformance kit. */
  private judgeWires(): string[] {
    const { seed, restarts } = this.options;
    const { findings } = judge({ seed, events: this.wires.events, disturbed: restarts, features: ['echo'] });
    this.judged = findings.reduce((sum, { checks }) => sum + checks, 0);
    return findings.flatMap(({ invariant, violated, violations: [first] }) =>
      violated === 0 ? [] : [`invariant ${invariant} of the wire, ${violated} times: ${first?.message}`],
    );
  }

  private hasDied(marker: string): boolean {
    return !this.lives.some(({ device }) => marker.includes(`.${device.process}.`));
  }

  private async switchTo(life: Life, user: User): Promise<void> {
    if (life.user === user) return;
    await life.device.call('close');
    await life.device.call('open', life.device.url, user);
    life.user = user;
  }

  private async calm(): Promise<void> {
    const began = performance.now();
    await Promise.all(
      this.lives.map(async ({ device }) => {
        const { isCalm, status } = await device.call('calm', this.options.calmMs);
        if (!isCalm) this.findings.push(`${device.name} does not come to rest: ${JSON.stringify(status)}`);
      }),
    );
    this.longestCalmMs = Math.max(this.longestCalmMs, Math.round(performance.now() - began));
  }

  private figures(): Figures {
    const count = (all: Iterable<string>): Record<string, number> => {
      const counts: Record<string, number> = {};
      for (const each of all) counts[each] = (counts[each] ?? 0) + 1;
      return counts;
    };
    const { journal, rounds, unclear, judged, trouble, longestCalmMs } = this;
    return {
      rounds,
      kept: count([...journal.kept.values()].map(({ kind }) => kind)),
      failed: Object.fromEntries(journal.failed),
      settled: count([...journal.settled.values()].map(({ status, code }) => code ?? status)),
      givenUp: journal.givenUp.size,
      ...{ unclear, judged, trouble, longestCalmMs },
    };
  }
}
