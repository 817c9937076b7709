import fc from 'fast-check';
import '../../../../test/support/runs';
import { DeviceBatch, type DeviceActivity, type DeviceWrite } from './device-batch';

const SPACING = 60_000;
const activity: fc.Arbitrary<DeviceActivity> = fc.record({
  ownScope: fc.constantFrom('a', 'b', 'a"'),
  actor: fc.constantFrom('ann', 'a","b'),
  client: fc.constantFrom(null, 'phone', 'tablet'),
  way: fc.constantFrom('push', 'pull', 'socket'),
  scope: fc.constantFrom('a', 'b', 'c', 'd'),
  clientSchema: fc.constantFrom(undefined, '1', '2'),
  position: fc.option(fc.record({ seq: fc.nat(100) }), { nil: undefined }),
});
type Step = { readonly wait: number; readonly seen?: DeviceActivity; readonly look: boolean };
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    wait: fc.oneof(fc.nat(5_000), fc.nat(70_000)),
    seen: fc.option(activity, { nil: undefined }),
    look: fc.boolean(),
  }),
  { maxLength: 60 },
);

const keyOf = ({ ownScope, actor, client }: Pick<DeviceActivity, 'ownScope' | 'actor' | 'client'>): string =>
  JSON.stringify([ownScope, actor, client]);

/** Runs the steps, and gives each write with its time. */
function run(batch: DeviceBatch, all: readonly Step[]): { at: number; write: DeviceWrite }[] {
  const writes: { at: number; write: DeviceWrite }[] = [];
  let now = 1_000;
  for (const { wait, seen, look } of all) {
    now += wait;
    if (seen) batch.note(seen, now);
    if (look) writes.push(...batch.due(now).map((write) => ({ at: now, write })));
  }
  now += SPACING;
  writes.push(...batch.due(now).map((write) => ({ at: now, write })));
  return writes;
}

const ROOMY = { devices: 1_000, scopes: 10, spacingMs: SPACING };

describe('a batch of devices', () => {
  it('writes no device more often than once in the spacing', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const last = new Map<string, number>();
        for (const { at, write } of run(new DeviceBatch(ROOMY), all)) {
          const before = last.get(keyOf(write));
          if (before !== undefined) expect(at - before).toBeGreaterThanOrEqual(SPACING);
          last.set(keyOf(write), at);
        }
      }),
    );
  });

  it('tells in the end what every device was last seen doing', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const expected: Record<string, Record<string, unknown>> = {};
        const told: Record<string, Record<string, unknown>> = {};
        let now = 1_000;
        for (const { wait, seen } of all) {
          now += wait;
          if (!seen) continue;
          const of = (expected[keyOf(seen)] ??= {});
          of['at'] = of[seen.way] = of[`scope ${seen.scope}`] = now;
          if (seen.clientSchema !== undefined) of['schema'] = seen.clientSchema;
          if (seen.position) of[`position ${seen.scope}`] = seen.position;
        }
        for (const { write } of run(new DeviceBatch(ROOMY), all)) {
          const of = (told[keyOf(write)] ??= {});
          Object.assign(of, write.ways, { at: write.at });
          if (write.clientSchema !== undefined) of['schema'] = write.clientSchema;
          for (const { scope, at, position } of write.scopes) {
            of[`scope ${scope}`] = at;
            if (position) of[`position ${scope}`] = position;
          }
        }
        expect(told).toEqual(expected);
      }),
    );
  });

  it('holds no more than its bounds, counts what it leaves out, and forgets devices that are quiet', () => {
    fc.assert(
      fc.property(steps, (all) => {
        const batch = new DeviceBatch({ devices: 2, scopes: 1, spacingMs: SPACING });
        let now = 1_000;
        for (const { wait, seen, look } of all) {
          now += wait;
          if (seen) batch.note(seen, now);
          expect(batch.size).toBeLessThanOrEqual(2);
          if (look) for (const { scopes } of batch.due(now)) expect(scopes).toHaveLength(1);
        }
        batch.due(now + SPACING);
        batch.due(now + 2 * SPACING);
        expect(batch.size).toBe(0);
      }),
    );
    const full = new DeviceBatch({ devices: 1, scopes: 1, spacingMs: SPACING });
    const one: DeviceActivity = { ownScope: 'a', actor: 'ann', client: 'x', way: 'pull', scope: 'a' };
    full.note(one, 0);
    full.note({ ...one, client: 'y' }, 0);
    full.note({ ...one, scope: 'b' }, 0);
    expect(full.dropped).toBe(2);
  });
});
