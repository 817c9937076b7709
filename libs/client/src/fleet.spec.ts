import fc from 'fast-check';
import type { JsonObject } from 'nest-offline-sync-protocol';
import { ClientDevice } from '../../../test/support/fleet-client.ts';
import { FleetServer, type FleetCollection } from '../../../test/support/fleet-server.ts';
import { runs } from '../../../test/support/runs.ts';
import { collection, inc, type CollectionDefinition, type RefusedEntry } from './index.ts';
import { VirtualTime } from './testing/index.ts';

/**
 * The client in place of the devices, the planner in place of the server, everything that can go wrong in between: at rest each
 * device shows what the server has, nothing waits, and each edit has taken effect once or is in quarantine (C1 to C7, C13).
 */

interface Doc {
  n?: number;
  p?: number;
  q?: number;
}
const NAMES = ['last-writer-wins', 'reject-stale', 'merge', 'client-wins', 'custom'] as const;
type Name = (typeof NAMES)[number];
const collections = Object.fromEntries(NAMES.map((name) => [name, collection<Doc>()])) as Record<
  Name,
  CollectionDefinition<Doc>
>;
const POLICIES = ['resurrect_on_update', 'reject_update', 'delete_wins'] as const;
const BAD = 13;

function server(time: VirtualTime, policy: number): FleetServer {
  const all = NAMES.map((strategy): [string, FleetCollection] => [
    strategy,
    {
      rules: { strategy, deleteUpdatePolicy: POLICIES[policy % 3]! },
      refuses: (data) => (data['q'] === BAD ? 'no luck' : undefined),
      resolve: (current, incoming, base) => {
        if (!current || !incoming) return incoming;
        const number = (data: JsonObject | null): number => Number(data?.['p'] ?? 0);
        return { ...current, ...incoming, p: number(current) + number(incoming) - number(base) };
      },
    },
  ]);
  const made = new FleetServer(time.now, new Map(all));
  made.pageLimit = 3;
  // Nobody does anything to these but to add 1.
  for (const name of NAMES) made.write(name, 'counter', { n: 0 });
  return made;
}

type Step =
  | { do: 'edit'; device: number; edit: DocEdit }
  | { do: 'transaction'; device: number; edits: DocEdit[]; counts: boolean }
  | { do: 'count'; device: number; name: Name }
  | { do: 'pass'; ms: number }
  | { do: 'network'; device: number; online: boolean }
  | { do: 'block'; device: number; path: 'push' | 'pull' | 'full'; blocked: boolean }
  | { do: 'lose'; device: number; answers: number }
  | { do: 'crash'; device: number; after: number; takesEffect: boolean }
  | { do: 'kill'; device: number }
  | { do: 'second'; device: number }
  | { do: 'server'; name: Name; id: string; data: Doc | null }
  | { do: 'trim'; upTo: number }
  | { do: 'late'; pick: number }
  | { do: 'checkpoint' | 'restore' };

interface DocEdit {
  name: Name;
  id: string;
  kind: 'create' | 'upsert' | 'patch' | 'inc' | 'delete';
  field: 'p' | 'q';
  value: number;
}

const device = fc.nat({ max: 2 });
const name = fc.constantFrom(...NAMES);
const id = fc.constantFrom('a', 'b');
const docEdit: fc.Arbitrary<DocEdit> = fc.record({
  name,
  id,
  kind: fc.constantFrom('create', 'upsert', 'patch', 'patch', 'patch', 'inc', 'inc', 'delete'),
  field: fc.constantFrom('p', 'q'),
  value: fc.oneof({ weight: 9, arbitrary: fc.nat({ max: 4 }) }, { weight: 1, arbitrary: fc.constant(BAD) }),
});
const usual: fc.WeightedArbitrary<Step>[] = [
  { weight: 12, arbitrary: fc.record({ do: fc.constant('edit' as const), device, edit: docEdit }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('transaction' as const),
      device,
      edits: fc.array(docEdit, { minLength: 1, maxLength: 3 }),
      counts: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('count' as const), device, name }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      ms: fc.constantFrom(0, 10, 500, 5_000, 45_000),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('network' as const), device, online: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('block' as const),
      device,
      path: fc.constantFrom('push' as const, 'pull' as const, 'full' as const),
      blocked: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('lose' as const),
      device,
      answers: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('crash' as const),
      device,
      after: fc.integer({ min: 1, max: 12 }),
      takesEffect: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('kill' as const), device }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('second' as const), device }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('server' as const),
      name,
      id,
      data: fc.option<Doc>(fc.record({ p: fc.nat({ max: 4 }), q: fc.nat({ max: 4 }) }), { freq: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trim' as const), upTo: fc.nat({ max: 60 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('late' as const), pick: fc.nat({ max: 40 }) }) },
];
const restoring: fc.WeightedArbitrary<Step>[] = [
  ...usual,
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('checkpoint' as const, 'restore' as const) }) },
];

/** Everything that was promised to be kept of what adds 1. */
interface Counts {
  sure: number;
  /** Of processes that died before they could say. */
  maybe: number;
}

class Model {
  readonly time = new VirtualTime(Date.UTC(2026, 4, 2));
  readonly server: FleetServer;
  readonly devices: ClientDevice<typeof collections>[] = [];
  readonly counts = new Map<Name, Counts>(NAMES.map((each) => [each, { sure: 0, maybe: 0 }]));
  hasRestored = false;
  /** The last count that each device has shown, and each time that it went back. */
  private readonly shown = new Map<string, number>();
  private readonly setbacks = new Map<string, number>();

  constructor(policy: number) {
    this.server = server(this.time, policy);
  }

  async begin(skews: readonly number[], streams: readonly boolean[]): Promise<void> {
    for (const [index, skewMs] of skews.entries()) {
      const options = { skewMs, stream: streams[index] ?? false, latencyMs: index === 2 ? 300 : 0 };
      const one = new ClientDevice(`d${String(index)}`, this.server, this.time, collections, options);
      this.devices.push(one);
      await one.client.open();
      this.watch(one);
    }
    await this.time.pass(2_000);
  }

  /** A count only rises, whatever is answered, read and loaded in whatever order: or something older was shown (C6). */
  private watch(one: ClientDevice<typeof collections>): void {
    for (const each of NAMES)
      one.client.db[each].live().subscribe(({ rows }) => {
        const n = rows.find((row) => row._id === 'counter')?.n;
        if (n === undefined) return;
        const key = `${one.name} ${each}`;
        if (n < (this.shown.get(key) ?? 0)) this.setbacks.set(key, (this.setbacks.get(key) ?? 0) + 1);
        this.shown.set(key, n);
      });
  }

  private async start(one: ClientDevice<typeof collections>): Promise<void> {
    await one.start();
    this.watch(one);
  }

  async step(step: Step): Promise<void> {
    const one = 'device' in step ? this.devices[step.device % this.devices.length]! : undefined;
    switch (step.do) {
      case 'edit':
        return this.count(one!, [], () => edit(one!.client.db, step.edit));
      case 'count':
        return this.count(one!, [step.name], () => one!.client.db[step.name].patch('counter', { n: inc(1) }));
      case 'transaction':
        return this.count(one!, step.counts ? [step.edits[0]!.name] : [], () =>
          one!.client.transaction(async (db) => {
            if (step.counts) await db[step.edits[0]!.name].patch('counter', { n: inc(1) });
            for (const each of step.edits) await edit(db, each);
          }),
        );
      case 'pass':
        return this.time.pass(step.ms);
      case 'network':
        return one!.setOnline(step.online);
      case 'block':
        if (step.blocked) one!.blocked.add(step.path);
        else one!.blocked.delete(step.path);
        return;
      case 'lose':
        one!.losesAnswers = step.answers;
        return;
      case 'crash':
        return one!.storage.crashAt(step.after, step.takesEffect ? 'after' : 'before');
      case 'kill':
        return this.start(one!);
      case 'second':
        return one!.second();
      case 'server':
        this.server.wallMs = Math.max(this.server.wallMs, this.time.now);
        return this.server.write(step.name, step.id, step.data as JsonObject | null);
      case 'trim':
        return this.server.trim(step.upTo);
      case 'late': {
        const body = this.server.bodies[step.pick % Math.max(1, this.server.bodies.length)];
        if (body) this.server.push(body);
        return;
      }
      case 'checkpoint':
        return this.server.checkpoint();
      case 'restore':
        if (this.server.restore()) this.hasRestored = true;
    }
  }

  /** With a network and a server, everything comes to rest by itself. */
  async rest(): Promise<void> {
    for (const one of this.devices) {
      one.losesAnswers = 0;
      one.blocked.clear();
      one.setOnline(true);
      await this.start(one);
    }
    for (let round = 0; round < 6; round++) await this.time.pass(70_000);
    for (const one of this.devices) {
      const { pending, phase, error } = one.client.status.current;
      expect({ device: one.name, pending, error }).toEqual({
        device: one.name,
        pending: 0,
        error: undefined,
      });
      expect(['polling', 'live']).toContain(phase);
      const shown = new Map<string, object>();
      for (const each of NAMES)
        for (const { _id, ...data } of await one.client.db[each].find())
          shown.set(`${each}/${String(_id)}`, data);
      const stored = this.server.documents();
      expect(Object.fromEntries([...shown].sort())).toEqual(Object.fromEntries([...stored].sort()));
    }
  }

  /** Each addition took effect once, or is in quarantine. */
  async expectCounted(): Promise<void> {
    const refused = (await Promise.all(this.devices.map((one) => one.client.rejected.list()))).flat();
    for (const each of NAMES) {
      const { sure, maybe } = this.counts.get(each)!;
      const counted =
        Number(this.server.documents().get(`${each}/counter`)?.['n']) + inQuarantine(refused, each);
      expect(counted).toBeGreaterThanOrEqual(sure);
      expect(counted).toBeLessThanOrEqual(sure + maybe);
    }
  }

  /** What a refusal has taken back may be less than what was shown before: nothing else may. */
  async expectSteady(): Promise<void> {
    for (const one of this.devices) {
      const refused = await one.client.rejected.list();
      for (const each of NAMES) {
        const entries = refused.filter((entry) => inQuarantine([entry], each) > 0).length;
        expect(this.setbacks.get(`${one.name} ${each}`) ?? 0).toBeLessThanOrEqual(entries);
      }
    }
  }

  private async count(one: ClientDevice<typeof collections>, names: Name[], call: () => Promise<unknown>) {
    const kept = await this.tried(one, call);
    for (const each of names) {
      const counts = this.counts.get(each)!;
      if (kept === 'kept') counts.sure += 1;
      if (kept === 'died') counts.maybe += 1;
    }
  }

  /** An edit, in a process that may die under it and is started again then. */
  private async tried(
    one: ClientDevice<typeof collections>,
    call: () => Promise<unknown>,
  ): Promise<'kept' | 'refused' | 'died'> {
    try {
      await call();
      return 'kept';
    } catch (error) {
      const { code } = error as { code?: string };
      if (code === 'document_missing' || code === 'document_exists') return 'refused';
      if (code !== 'storage_lost' && code !== 'usage') throw error;
      await this.start(one);
      return 'died';
    }
  }
}

function inQuarantine(refused: readonly RefusedEntry[], name: Name): number {
  const own = refused.flatMap((entry) =>
    entry.changes.filter((each) => each.collection === name && each.id === 'counter'),
  );
  return own.reduce(
    (sum, { change }) => sum + (change.operation === 'patch' ? (change.patch.inc['n'] ?? 0) : 0),
    0,
  );
}

type Db = {
  readonly [N in Name]: Pick<
    ClientDevice<typeof collections>['client']['db'][Name],
    'create' | 'upsert' | 'patch' | 'delete'
  >;
};

async function edit(db: Db, { name: of, id: doc, kind, field, value }: DocEdit): Promise<unknown> {
  const one = db[of];
  switch (kind) {
    case 'create':
      return one.create({ _id: doc, [field]: value });
    case 'upsert':
      return one.upsert(doc, { p: value, [field]: value });
    case 'patch':
      return one.patch(doc, { [field]: value });
    case 'inc':
      return one.patch(doc, { n: inc(value) });
    case 'delete':
      return one.delete(doc);
  }
}

const skews = fc.tuple(...[0, 1, 2].map(() => fc.constantFrom(0, 0, 180_000, -7_200_000)));
const streams = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean());

it('comes to rest with what the server has, each edit taken once or in quarantine', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(2),
      skews,
      streams,
      fc.array(fc.oneof(...usual), { maxLength: 40 }),
      async (policy, off, live, steps) => {
        const model = new Model(policy);
        await model.begin(off, live);
        for (const step of steps) await model.step(step);
        await model.rest();
        await model.expectCounted();
        await model.expectSteady();
      },
    ),
    runs(80),
  );
});

it('comes to rest with what the server has, though it is restored from a backup', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(2),
      skews,
      streams,
      fc.array(fc.oneof(...restoring), { maxLength: 40 }),
      async (policy, off, live, steps) => {
        const model = new Model(policy);
        await model.begin(off, live);
        for (const step of steps) await model.step(step);
        await model.rest();
      },
    ),
    runs(60),
  );
});
