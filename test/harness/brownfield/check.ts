import { setTimeout as delay } from 'node:timers/promises';
import mongoose, { type Connection, type Model } from 'mongoose';
import type { ServerProcess } from '../faults/server-process';
import { until } from '../../support/until';
import { adopt, type Adopted } from './adopting';
import { Killing } from './capturing';
import { businessId, customer, customerSchema, SCOPE_FIELD, type Customer, type Size } from './customers';
import { ShopDevice } from './device';
import { judgeTruth, type Stored } from './ground-truth';
import { ServiceProcess } from './service-process';
import type { Ledger } from './service-writes';
import { differences, hashOfState, stateOf, statesOf, type Reading, type State } from './states';

export interface RoundOptions extends Size {
  readonly uri: string;
  /** Processes of the app, not started yet. */
  readonly apps: readonly ServerProcess[];
  readonly seed: number;
  readonly folder: string;
  readonly token: (scope: string, user: string) => string;
  /** How long services and devices go on after the adoption. Milliseconds. */
  readonly lengthMs: number;
  /** Between two writes of a service. Milliseconds. */
  readonly servicePaceMs: number;
  readonly devicePaceMs: number;
  readonly log: boolean;
  /** The capturing process is killed that often. Undefined: never. */
  readonly killEveryMs?: number;
  /** The first adoption is killed after this. */
  readonly killAdoptMs?: number;
  /** How long it may take until all agree, once nobody writes. */
  readonly calmMs: number;
  readonly say: (what: string) => void;
}

export interface RoundFigures {
  readonly seedMs: number;
  readonly adopt: Omit<Adopted, 'findings'>;
  /** From the start of the app until all documents had their scope, by adopt or by capture. */
  readonly takenInMs: number;
  readonly takenInPerSecond: number;
  readonly foreignWrites: number;
  readonly foreignPerSecond: number;
  readonly writesByKind: Readonly<Record<string, number>>;
  readonly edits: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly kills: number;
  /** From the last write until it was recorded. */
  readonly lagMs: number;
  /** From the last write until devices, logs, full resyncs and collection were found to agree. */
  readonly agreedMs: number;
  readonly entries: number;
}

export interface Checked {
  readonly figures: RoundFigures;
  readonly findings: readonly string[];
}

/** A team with data and services adds sync, while nothing stands still. One database, one story. */
export async function checkRound(options: RoundOptions): Promise<Checked> {
  const connection = await mongoose.createConnection(options.uri, { appName: 'check' }).asPromise();
  try {
    return await new Round(options, connection).run();
  } finally {
    await connection.close();
  }
}

class Round {
  private readonly customers: Model<Customer>;
  private readonly findings: string[] = [];
  private readonly services: ServiceProcess[] = [];
  private readonly devices: ShopDevice[] = [];
  private readonly killing: Killing | undefined;
  private readonly reading: Reading;

  constructor(
    private readonly options: RoundOptions,
    private readonly connection: Connection,
  ) {
    const { apps, killEveryMs, token } = options;
    this.customers = connection.model<Customer>('Customer', customerSchema());
    this.killing =
      killEveryMs === undefined ? undefined : new Killing(apps, connection.getClient(), killEveryMs);
    this.reading = {
      url: `http://127.0.0.1:${String(apps[0]?.settings.port)}`,
      token: (scope) => token(scope, 'check'),
      stored: connection.collection('customers'),
    };
  }

  async run(): Promise<Checked> {
    const { say, lengthMs, apps } = this.options;
    try {
      const seedMs = await timed(() => this.seed());
      say(`${this.options.documents} documents made in ${seconds(seedMs)}`);
      const began = performance.now();
      await this.startServices();
      await Promise.all(apps.map((app) => app.start()));
      const started = performance.now();
      this.killing?.begin();
      await this.openDevice(0);
      const takenIn = this.takenIn().then(() => performance.now() - started);
      takenIn.catch(() => undefined);
      const { findings, ...adopted } = await adopt({
        ...{ uri: this.options.uri, log: this.options.log },
        ...(this.options.killAdoptMs === undefined ? {} : { killAfterMs: this.options.killAdoptMs }),
      });
      this.findings.push(...findings);
      const takenInMs = await takenIn;
      say(
        `taken in after ${seconds(takenInMs)}, ${adopted.adopted} of them by adopt in ${adopted.runs} runs`,
      );
      await this.openDevice(1);
      await delay(lengthMs);
      const ledgers = await Promise.all(this.services.map((service) => service.stop()));
      const wrote = (performance.now() - began) / 1000;
      await Promise.all(this.devices.map((device) => device.rest()));
      const stopped = performance.now();
      await this.killing?.end();
      const lagMs = await this.recorded(stopped);
      say(`recorded ${seconds(lagMs)} after the last write`);
      await this.agree(stopped);
      const agreedMs = performance.now() - stopped;
      await this.judge(ledgers);
      const foreignWrites = ledgers.reduce((sum, { writes }) => sum + writes, 0);
      const devices = await Promise.all(this.devices.map((device) => device.ledger()));
      return {
        findings: this.findings,
        figures: {
          ...{ seedMs, adopt: adopted, takenInMs, foreignWrites, lagMs, agreedMs },
          takenInPerSecond: Math.round(this.options.documents / (takenInMs / 1000)),
          foreignPerSecond: Math.round(foreignWrites / wrote),
          writesByKind: added(ledgers.map(({ kinds }) => kinds)),
          edits: devices.reduce((sum, { edits }) => sum + edits, 0),
          refused: added(devices.map(({ refused }) => refused)),
          kills: this.killing?.kills ?? 0,
          entries: await this.connection.collection('sync_oplog').countDocuments(),
        },
      };
    } finally {
      await this.killing?.giveUp();
      for (const service of this.services) service.kill();
      await Promise.all(this.devices.map((device) => device.close().catch(() => undefined)));
      await Promise.all(apps.map((app) => app.kill()));
    }
  }

  private async seed(): Promise<void> {
    await this.customers.init();
    const { documents } = this.options;
    for (let n = 0; n < documents; n += 1000) {
      const some = Array.from({ length: Math.min(1000, documents - n) }, (_, at) =>
        customer(n + at, this.options),
      );
      await this.customers.insertMany(some, { ordered: false });
    }
  }

  private async startServices(): Promise<void> {
    const { uri, documents, scopes, services, seed, servicePaceMs: paceMs } = this.options;
    const size = { documents, scopes, services };
    await Promise.all(
      Array.from({ length: services }, async (_, index) => {
        const orders = { uri, size, index, seed: seed + index, paceMs };
        this.services.push(await ServiceProcess.start(orders));
      }),
    );
  }

  /** Both devices have the first two scopes, each is at home in one of them. */
  private async openDevice(index: 0 | 1): Promise<void> {
    const { apps, token, folder, seed, devicePaceMs: paceMs } = this.options;
    const scopes = [index, 1 - index, 2 + index].map((scope) => businessId(scope).toHexString());
    const app = apps[index % apps.length] as ServerProcess;
    const device = await ShopDevice.open({
      ...{ name: `device${String(index)}`, folder: index === 0 ? undefined : folder },
      ...{ port: app.settings.port, scopes, token, seed: seed + 100 + index, paceMs },
    });
    this.devices.push(device);
    device.begin();
  }

  /** But for what services have replaced as a whole a moment ago: they know no field of sync. */
  private takenIn(): Promise<void> {
    const few = Math.max(20, this.options.documents / 100);
    return until(async () => (await this.unscoped(few)) < few, 3_600_000, 500);
  }

  /** Of those that were there when sync was added: services make others all the time. */
  private unscoped(limit: number): Promise<number> {
    const last = customer(this.options.documents, this.options)._id;
    return this.customers.countDocuments(
      { _id: { $lt: last, $gte: customer(0, this.options)._id }, _sync_scope_id: null } as object,
      { limit, hint: { _sync_scope_id: 1, _id: 1 } as never },
    );
  }

  /** Two documents, one after the other: when the second one is recorded, so is all that came before the first. */
  private async recorded(since: number): Promise<number> {
    const { calmMs } = this.options;
    for (const n of [1, 2]) {
      const _id = new mongoose.Types.ObjectId();
      const last = { ...customer(0, this.options), _id, state: 'last', name: `Last ${String(n)}` };
      await this.customers.collection.insertOne(last);
      await until(
        async () =>
          (await this.reading.stored.countDocuments({ _id: _id as never, _sync_hash: { $exists: true } })) ===
          1,
        calmMs,
      );
    }
    await until(
      async () => (await this.customers.countDocuments({ _sync_scope_id: null } as object)) === 0,
      calmMs,
    );
    return performance.now() - since;
  }

  /** Devices, log, full resync and collection of all scopes; what differs is looked at again until the time is over. */
  private async agree(since: number): Promise<void> {
    const { calmMs, scopes } = this.options;
    for (const device of this.devices)
      if (!(await device.calm(calmMs))) this.findings.push(`${device.name} does not come to rest`);
    let open = Array.from({ length: scopes }, (_, n) => businessId(n).toHexString());
    for (;;) {
      const differing = new Map<string, string[]>();
      for (const scope of open) {
        const found = await this.compare(scope);
        if (found.length > 0) differing.set(scope, found);
      }
      open = [...differing.keys()];
      if (open.length === 0) return;
      if (performance.now() - since > calmMs) {
        for (const [scope, found] of differing)
          this.findings.push(...found.map((what) => `Scope ${scope}: ${what}`));
        return;
      }
      await delay(250);
    }
  }

  private async compare(scope: string): Promise<string[]> {
    const { log, full, stored, faults } = await statesOf(this.reading, scope);
    const others: [string, State][] = [['the full resync', full]];
    if (log) others.push(['the log', log]);
    for (const device of this.devices)
      if (device.has(scope)) others.push([device.name, stateOf(await device.rows(scope))]);
    const expected = hashOfState(stored);
    return [
      ...faults,
      ...others.flatMap(([name, state]) =>
        hashOfState(state) === expected ? [] : differences(name, state, 'the collection', stored),
      ),
    ];
  }

  private async judge(ledgers: readonly Ledger[]): Promise<void> {
    const rows: Stored[] = [];
    for await (const row of this.reading.stored.find({ state: { $ne: 'last' } }))
      rows.push({
        id: String(row['_id']),
        business: String(row[SCOPE_FIELD]),
        scope: row['_sync_scope_id'],
        isDeleted: row['_sync_deleted'] === true,
        mark: Number(row['mark'] ?? 0),
        visits: Number(row['visits'] ?? 0),
        deviceVisits: Number(row['device_visits'] ?? 0),
      });
    const devices = await Promise.all(this.devices.map((device) => device.ledger()));
    this.findings.push(...judgeTruth(this.options.documents, rows, ledgers, devices));
  }
}

function added(all: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const each of all)
    for (const [name, count] of Object.entries(each)) sums[name] = (sums[name] ?? 0) + count;
  return sums;
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
