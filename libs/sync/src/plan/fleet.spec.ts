import * as fc from 'fast-check';
import { formatHlc, type Atomicity, type Operation, type PatchBody } from 'nest-offline-sync-protocol';
import { Device, FLEET_RULES, type DocumentName, type Edit } from '../../../../test/support/fleet-device';
import { Fleet, FLEET_SCOPES, travel, type Travelling } from '../../../../test/support/fleet';
import { runs } from '../../../../test/support/runs';

const START = Date.UTC(2026, 4, 2);
const DAY_MS = 86_400_000;

interface Sending {
  readonly device: number;
  readonly skip: number;
  readonly take: number;
  readonly atomic: Atomicity;
  readonly refused: number | null;
  readonly doubled: number | null;
  readonly grouped: number;
  readonly lost: boolean;
  /** The same push comes twice, at the same time. */
  readonly twice: boolean;
}

type Step =
  | {
      readonly do: 'edit';
      readonly device: number;
      readonly document: number;
      readonly operation: Operation;
      readonly adds: 'too' | 'only' | undefined;
      readonly field: string;
      readonly value: number | null;
      readonly stamped: boolean;
      readonly follows: boolean;
      readonly reuse: number | null;
    }
  | {
      readonly do: 'push';
      readonly sendings: readonly Sending[];
      readonly abort: boolean;
      /** When what a resolver has settled goes along: its document may have moved on before it. */
      readonly resolved: 'none' | 'first' | 'last';
    }
  | { readonly do: 'pull'; readonly device: number; readonly limit: number; readonly pages: number }
  | { readonly do: 'clock'; readonly shift: number }
  | {
      readonly do: 'server';
      readonly scope: number;
      readonly document: number;
      readonly value: number | null;
      readonly patches: boolean;
    }
  /** The app takes a device's scope from it, or gives it back. A device may notice only when it is back. */
  | { readonly do: 'access'; readonly device: number; readonly notices: boolean }
  /** A request that was sent before comes once more, late. */
  | { readonly do: 'late'; readonly pick: number }
  | { readonly do: 'trim'; readonly scope: number; readonly upTo: number; readonly removed: number }
  | {
      readonly do: 'forget';
      readonly scope: number;
      readonly kept: number;
      readonly removed: number;
      readonly trims: boolean;
    }
  | { readonly do: 'checkpoint' | 'restore' };

/** By weights: a number that is drawn is drawn from the ends of its range more often than not. */
const rarely = <T>(arbitrary: fc.Arbitrary<T>, oneIn: number): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: oneIn - 1, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });
const once = (oneIn: number): fc.Arbitrary<boolean> =>
  rarely(fc.constant(true), oneIn).map((drawn) => drawn === true);
const device = fc.nat({ max: 3 });
const document = fc.nat({ max: 9 });

const sending: fc.Arbitrary<Sending> = fc.record({
  device,
  skip: fc.constantFrom(0, 0, 0, 1),
  take: fc.integer({ min: 1, max: 4 }),
  atomic: fc.constantFrom('batch', 'mutation'),
  refused: rarely(fc.nat({ max: 2 }), 5),
  doubled: rarely(fc.nat({ max: 3 }), 6),
  grouped: fc.constantFrom(1, 1, 2, 3),
  lost: once(3),
  twice: once(5),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.record({
      do: fc.constant('edit' as const),
      device,
      document,
      operation: fc.constantFrom('upsert', 'upsert', 'patch', 'patch', 'delete'),
      adds: fc.constantFrom(undefined, undefined, 'too' as const, 'only' as const),
      field: fc.constantFrom('p', 'q', 'r'),
      value: fc.option(fc.nat({ max: 2 }), { freq: 4 }),
      stamped: fc.boolean(),
      follows: fc.boolean(),
      reuse: rarely(fc.nat({ max: 9 }), 40),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      sendings: fc.array(sending, { maxLength: 4 }),
      abort: once(9),
      resolved: fc.constantFrom('none' as const, 'first' as const, 'last' as const),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('pull' as const),
      device,
      limit: fc.integer({ min: 1, max: 5 }),
      pages: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('clock' as const),
      shift: fc.oneof(
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: -100_000, max: 100_000 }),
        fc.constantFrom(-DAY_MS, DAY_MS),
      ),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('late' as const), pick: fc.nat({ max: 60 }) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('access' as const), device, notices: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('server' as const),
      scope: fc.nat({ max: 1 }),
      document,
      value: fc.option(fc.nat({ max: 2 }), { freq: 3 }),
      patches: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('trim' as const),
      scope: fc.nat({ max: 1 }),
      upTo: fc.nat({ max: 12 }),
      removed: fc.constantFrom(0, 50, 100),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('forget' as const),
      scope: fc.nat({ max: 1 }),
      kept: fc.constantFrom(0, 0, 1, 2),
      removed: fc.constantFrom(0, 50, 100, 100),
      // Tombstones go with the log that tells of them.
      trims: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('checkpoint' as const, 'restore' as const) }) },
);

const setting = fc.record({
  collections: fc.uniqueArray(fc.constantFrom(...FLEET_RULES.keys()), { minLength: 1, maxLength: 2 }),
  skews: fc.array(fc.constantFrom(0, 0, -50_000, 2_000, 70_000), { minLength: 4, maxLength: 4 }),
  // A head that a fast clock has left, a few versions before its counter is full.
  head: fc.option(
    fc.record({
      aheadMs: fc.integer({ min: -1, max: 200_000 }),
      counter: fc.integer({ min: 9_990, max: 9_999 }),
    }),
    { freq: 2 },
  ),
});
type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never;

const NO_PATCH: PatchBody = { set: {}, unset: [], inc: {}, add: {}, remove: {} };

class History {
  readonly fleet = new Fleet(START);
  readonly devices: readonly Device[];
  private readonly documents: Readonly<Record<'A' | 'B', readonly DocumentName[]>>;
  private edits = 0;

  constructor({ collections, skews, head }: Setting) {
    this.devices = skews.map((skew, index) => {
      const scope = FLEET_SCOPES[index === 3 ? 1 : 0];
      // Clients of two scopes may have the same name, and the same mutation ids.
      return new Device(scope, `client ${index % 3}`, skew);
    });
    const named = (own: string): DocumentName[] =>
      [own, own, `${own}2`, own, 'shared'].flatMap((id) =>
        collections.map((collection) => ({ collection, id })),
      );
    this.documents = { A: named('a'), B: named('b') };
    if (head) {
      const version = formatHlc({ ms: START + head.aheadMs, counter: head.counter, node: 'fast' });
      this.fleet.begin('A', version, this.documents.A[0]!);
    }
  }

  run(step: Step): void {
    const { fleet } = this;
    switch (step.do) {
      case 'edit':
        return this.edit(step);
      case 'push': {
        const resolved = step.resolved === 'none' ? [] : fleet.unresolved.splice(0);
        const fresh = step.sendings.flatMap((each) => this.send(each));
        const travelling = step.resolved === 'first' ? [...resolved, ...fresh] : [...fresh, ...resolved];
        if (step.abort) fleet.unresolved.push(...resolved);
        if (travelling.length === 0) return;
        return step.abort ? fleet.abort(travelling) : fleet.transaction(travelling);
      }
      case 'pull': {
        const puller = this.device(step.device);
        if (!puller.isMember) return;
        for (let page = 0; page < step.pages && fleet.pull(puller, step.limit); page++);
        return;
      }
      case 'clock':
        fleet.wallMs += step.shift;
        return;
      case 'server': {
        const scope = FLEET_SCOPES[step.scope]!;
        const name = this.named(scope, step.document);
        const { value } = step;
        if (!step.patches) return fleet.serverWrite(scope, name, value === null ? null : { p: value });
        const patch = value === null ? { unset: ['p'] } : { set: { p: value }, inc: { n: 1 } };
        return fleet.serverWrite(scope, name, null, { ...NO_PATCH, ...patch });
      }
      case 'access': {
        const member = this.device(step.device);
        if (!member.isMember) member.isMember = true;
        else if (step.notices) member.lost();
        else member.isMember = false;
        return;
      }
      case 'late':
        return fleet.late(step.pick);
      case 'trim':
        return fleet.trim(FLEET_SCOPES[step.scope]!, step.upTo, step.removed);
      case 'forget':
        if (step.trims) fleet.trim(FLEET_SCOPES[step.scope]!, 1000, step.removed);
        return fleet.forget(FLEET_SCOPES[step.scope]!, step.kept, step.removed);
      default:
        return fleet[step.do]();
    }
  }

  /** All devices come online and stay: queues run empty, everything is pulled. */
  settle(): void {
    const { fleet, devices } = this;
    fleet.wallMs += 10 * DAY_MS;
    for (const each of devices) each.isMember = true;
    const all = {
      skip: 0,
      take: 100,
      atomic: 'mutation',
      refused: null,
      doubled: null,
      grouped: 1,
      lost: false,
      twice: false,
    } as const;
    for (let round = 0; devices.some((each) => each.waiting > 0) || fleet.unresolved.length > 0; round++) {
      if (round > 200) throw new Error('a queue never runs empty');
      const travelling = fleet.unresolved.splice(0);
      const next = devices.findIndex((each) => each.waiting > 0);
      fleet.transaction(travelling.length > 0 ? travelling : this.send({ ...all, device: next }));
    }
    for (const each of devices) {
      for (let page = 0; fleet.pull(each, 3); page++) if (page > 500) throw new Error('a pull without end');
      fleet.expectSame(each);
    }
  }

  private device(index: number): Device {
    return this.devices[index]!;
  }

  private named(scope: 'A' | 'B', index: number): DocumentName {
    const documents = this.documents[scope];
    return documents[index % documents.length]!;
  }

  private edit(step: Step & { do: 'edit' }): void {
    const editor = this.device(step.device);
    const ms = this.fleet.wallMs + editor.skewMs;
    const edit: Edit = {
      operation: step.operation,
      adds: step.adds,
      field: step.field,
      value: step.value,
      follows: step.follows,
      hlc: step.stamped ? formatHlc({ ms, counter: this.edits++, node: 'edit' }) : null,
    };
    editor.edit(this.named(editor.scope as 'A' | 'B', step.document), edit, step.reuse);
  }

  private send({ device: index, twice, lost, ...portion }: Sending): Travelling[] {
    const sender = this.device(index);
    if (!sender.isMember) return [];
    const request = sender.request(portion);
    if (!request) return [];
    const travelling = (): Travelling => travel(request, sender, lost);
    return twice ? [travelling(), travelling()] : [travelling()];
  }
}

describe('a fleet of devices that are offline for a while', () => {
  it('ends with the same data everywhere, whatever was retried, reordered, merged, trimmed, forgotten, restored, misdated or lost', () => {
    fc.assert(
      fc.property(setting, fc.array(step, { maxLength: 60 }), (given, steps) => {
        const history = new History(given);
        for (const each of steps) history.run(each);
        history.settle();
      }),
      runs(1000),
    );
  });
});
