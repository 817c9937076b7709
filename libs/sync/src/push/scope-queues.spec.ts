import * as fc from 'fast-check';
import { runs } from '../../../../test/support/runs';
import type { PlanRequest } from '../plan/plan';
import { GROUP_BYTES, GROUP_CHANGES, type PushJob } from './scope-queue';
import { ScopeQueues, type Group } from './scope-queues';

interface Made {
  readonly scope: string;
  readonly changes?: number;
  readonly bytes?: number;
  readonly deadline?: number;
  readonly solo?: boolean;
  readonly observed?: number;
}

function jobOf({
  scope,
  changes = 1,
  bytes = 100,
  deadline = 1e9,
  solo = false,
  observed = 0,
}: Made): PushJob {
  const request: PlanRequest = {
    scopeId: scope,
    actorId: 'a',
    clientId: 'c',
    atomic: 'batch',
    changes: Array.from({ length: changes }, () => ({
      kind: 'refused',
      wireId: null,
      mutationId: null,
      rejection: { code: 'invalid_change', message: '' },
    })),
  };
  return { request, bytes, observed, deadline, enqueuedAt: 0, solo, resolve: () => {}, reject: () => {} };
}

function groupOf(...scopes: string[]): Group {
  return { jobs: [], scopes };
}

type Step =
  | { readonly do: 'add'; readonly job: Made }
  | { readonly do: 'turn'; readonly scope: string }
  | { readonly do: 'take' | 'conflict' | 'refuse' | 'commit'; readonly lane: number }
  | { readonly do: 'endTurn'; readonly lane: number }
  | { readonly do: 'wait'; readonly ms: number };

const scope = fc.constantFrom('a', 'b', 'c', 'd');
const lane = fc.nat({ max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      job: fc.record({
        scope,
        changes: fc.constantFrom(1, 2, 400, 999, 1000, 1500),
        bytes: fc.constantFrom(10, 1 << 20, 3 << 20),
        deadline: fc.integer({ min: 0, max: 6000 }),
        solo: fc.constantFrom(false, false, false, true),
      }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('turn' as const), scope }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('take' as const, 'conflict' as const, 'refuse' as const, 'commit' as const),
      lane,
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('endTurn' as const), lane }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat({ max: 1500 }) }) },
);

/** Drives the queues as the lanes do, and watches who has a scope. */
class Lanes {
  readonly queues = new ScopeQueues();
  readonly groups: Group[] = [];
  readonly held: string[] = [];
  /** Every push ever added, in order, with how it ended. */
  readonly jobs: PushJob[] = [];
  readonly ended = new Map<PushJob, 'committed' | 'expired'>();
  readonly committed: PushJob[] = [];
  turnsAsked = 0;
  turnsGranted = 0;
  now = 0;

  run(action: Step): void {
    switch (action.do) {
      case 'add': {
        const made = jobOf({ ...action.job, deadline: this.now + (action.job.deadline ?? 0) + 1 });
        this.jobs.push(made);
        this.queues.add(made);
        break;
      }
      case 'turn':
        this.turnsAsked++;
        this.queues.addTurn(action.scope, () => {
          this.turnsGranted++;
          this.claim(action.scope);
          this.held.push(action.scope);
        });
        break;
      case 'take':
        this.take();
        break;
      case 'endTurn': {
        const [ended] = this.held.splice(action.lane, 1);
        if (ended !== undefined) this.queues.release(ended);
        break;
      }
      case 'wait':
        this.now += action.ms;
        break;
      default:
        this.end(action.do, action.lane);
    }
    for (const job of this.queues.removeExpired(this.now)) this.settle(job, 'expired');
    this.queues.grantTurns(this.now);
  }

  take(): boolean {
    const shared = this.groups.some((group) => group.scopes.length > 1);
    const group = this.queues.takeGroup(this.now, shared);
    if (!group) return false;
    for (const taken of group.scopes) this.claim(taken);
    this.groups.push(group);
    const changes = group.jobs.reduce((sum, job) => sum + job.request.changes.length, 0);
    const bytes = group.jobs.reduce((sum, job) => sum + job.bytes, 0);
    if (group.jobs.length > 1) {
      expect(changes).toBeLessThanOrEqual(GROUP_CHANGES);
      expect(bytes).toBeLessThanOrEqual(GROUP_BYTES);
      expect(group.jobs.some((job) => job.solo)).toBe(false);
    }
    expect(group.jobs.length).toBeGreaterThan(0);
    expect(group.jobs.every((job) => job.deadline > this.now)).toBe(true);
    expect([...new Set(group.jobs.map((job) => job.request.scopeId))].sort()).toEqual(
      [...group.scopes].sort(),
    );
    return true;
  }

  end(how: 'conflict' | 'refuse' | 'commit', index: number): void {
    const [group] = this.groups.splice(index, 1);
    if (!group) return;
    if (how === 'commit') {
      for (const job of group.jobs) this.settle(job, 'committed');
      this.committed.push(...group.jobs);
      this.queues.succeeded(group, true);
    } else if (how === 'conflict') {
      const attempts = this.queues.conflicted(group, this.now);
      this.queues.putBack(group.jobs, this.now + attempts);
    } else {
      group.jobs[0]!.solo = true;
      this.queues.isolate(group.scopes[0]!, this.now);
      this.queues.putBack(group.jobs, this.now);
    }
    for (const taken of group.scopes) this.queues.release(taken);
  }

  private settle(job: PushJob, how: 'committed' | 'expired'): void {
    if (this.ended.has(job)) throw new Error('settled twice');
    this.ended.set(job, how);
  }

  private claim(taken: string): void {
    const busy = [...this.held, ...this.groups.flatMap((group) => group.scopes)];
    if (busy.includes(taken)) throw new Error(`scope ${taken} is in two hands`);
  }
}

describe('the queues of the scopes', () => {
  it('lose nothing, settle nothing twice, keep the order of a scope and give it to one at a time', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const lanes = new Lanes();
        for (const action of steps) lanes.run(action);
        // Then everything comes to its end.
        for (let round = 0; round < 5000 && !lanes.queues.isEmpty(); round++) {
          lanes.run({ do: 'endTurn', lane: 0 });
          if (!lanes.take()) lanes.now += 1;
          lanes.run({ do: 'commit', lane: 0 });
        }
        expect(lanes.queues.isEmpty()).toBe(true);
        expect(lanes.ended.size).toBe(lanes.jobs.length);
        expect(lanes.turnsGranted).toBe(lanes.turnsAsked);
        expect(lanes.queues.nextWake(lanes.now)).toBeUndefined();
        for (const each of ['a', 'b', 'c', 'd']) {
          const order = lanes.committed.filter((job) => job.request.scopeId === each);
          expect(order).toEqual(
            lanes.jobs.filter((job) => job.request.scopeId === each && lanes.ended.get(job) === 'committed'),
          );
        }
      }),
      runs(2000),
    );
  });

  it('give up a push past its deadline as soon as its failed group is put back, and keep the others in order', () => {
    const queues = new ScopeQueues();
    const [first, late, last] = [
      jobOf({ scope: 'a' }),
      jobOf({ scope: 'a', deadline: 50 }),
      jobOf({ scope: 'a' }),
    ];
    for (const job of [first, late, last]) queues.add(job);
    const group = queues.takeGroup(0, false)!;
    expect(queues.removeExpired(60)).toEqual([]);
    queues.putBack(group.jobs, 100);
    expect(queues.removeExpired(60)).toEqual([late]);
    queues.release('a');
    expect(queues.nextWake(60)).toBe(100);
    expect(queues.takeGroup(60, false)).toBeUndefined();
    expect(queues.takeGroup(100, false)!.jobs).toEqual([first, last]);
  });

  it('serve every scope in a bounded number of groups next to a flood of another', () => {
    const queues = new ScopeQueues();
    for (let n = 0; n < 50; n++) queues.add(jobOf({ scope: 'flood', changes: 900 }));
    queues.add(jobOf({ scope: 'small' }));
    queues.add(jobOf({ scope: 'large', changes: 1500 }));
    const served: string[][] = [];
    for (let n = 0; n < 4; n++) {
      const group = queues.takeGroup(0, false)!;
      served.push([...group.scopes]);
      for (const each of group.scopes) queues.release(each);
    }
    expect(served).toEqual([['flood', 'small'], ['large'], ['flood'], ['flood']]);
  });

  it('keep a scope alone for a second after a conflict, also when nothing of it waited meanwhile', () => {
    const queues = new ScopeQueues();
    const both = (): readonly string[] => {
      queues.add(jobOf({ scope: 'a' }));
      queues.add(jobOf({ scope: 'b' }));
      const { scopes } = queues.takeGroup(now, false)!;
      queues.removeAll();
      for (const each of scopes) queues.release(each);
      return scopes;
    };
    let now = 0;
    expect(both()).toEqual(['a', 'b']);
    queues.conflicted(groupOf('a'), now);
    queues.release('a');
    queues.removeAll();
    now = 999;
    expect(both()).toEqual(['a']);
    now = 1000;
    expect(both()).toEqual(['a', 'b']);
  });

  it('run one transaction of several scopes at a time while processes conflict', () => {
    const queues = new ScopeQueues();
    queues.conflicted(groupOf('z'), 0);
    for (const each of ['a', 'b']) queues.add(jobOf({ scope: each }));
    expect(queues.takeGroup(1, true)!.scopes).toEqual(['a']);
    expect(queues.takeGroup(1, false)!.scopes).toEqual(['b']);
  });

  it('alternate between the turns of the app and the pushes of a scope', () => {
    const queues = new ScopeQueues();
    const order: string[] = [];
    for (const name of ['first', 'second']) queues.addTurn('a', () => order.push(name));
    queues.add(jobOf({ scope: 'a' }));
    queues.grantTurns(0);
    expect(queues.takeGroup(0, false)).toBeUndefined();
    queues.release('a');
    queues.grantTurns(0);
    expect(order).toEqual(['first']);
    expect(queues.takeGroup(0, false)!.jobs).toHaveLength(1);
    queues.release('a');
    queues.grantTurns(0);
    expect(order).toEqual(['first', 'second']);
  });

  it('take a push into an empty scope whatever its size, and refuse what would make the scope too full', () => {
    const queues = new ScopeQueues();
    expect(queues.isFull('a', 50_000, 1 << 30)).toBe(false);
    queues.add(jobOf({ scope: 'a', changes: 19_999 }));
    expect(queues.isFull('a', 1, 100)).toBe(false);
    expect(queues.isFull('a', 2, 100)).toBe(true);
    expect(queues.isFull('a', 1, 64 << 20)).toBe(true);
    expect(queues.isFull('b', 2, 100)).toBe(false);
  });

  it('have room again for what was taken, and for what has expired', () => {
    const queues = new ScopeQueues();
    const large = { scope: 'a', changes: 15_000, bytes: 40 << 20 };
    queues.add(jobOf(large));
    queues.add(jobOf({ scope: 'a' }));
    expect(queues.takeGroup(0, false)!.jobs).toHaveLength(1);
    expect(queues.isFull('a', 15_000, 40 << 20)).toBe(false);
    queues.add(jobOf({ ...large, deadline: 10 }));
    expect(queues.isFull('a', 15_000, 100)).toBe(true);
    expect(queues.isFull('a', 1, 40 << 20)).toBe(true);
    expect(queues.removeExpired(10)).toHaveLength(1);
    expect(queues.isFull('a', 15_000, 40 << 20)).toBe(false);
  });

  it('wake for the next push that expires, also after others have', () => {
    const queues = new ScopeQueues();
    for (const deadline of [100, 300, 200]) queues.add(jobOf({ scope: 'a', deadline }));
    expect(queues.nextWake(0)).toBe(100);
    expect(queues.removeExpired(99)).toEqual([]);
    expect(queues.removeExpired(100).map(({ deadline }) => deadline)).toEqual([100]);
    expect(queues.nextWake(100)).toBe(200);
    expect(queues.removeExpired(300).map(({ deadline }) => deadline)).toEqual([300, 200]);
    expect(queues.nextWake(300)).toBeUndefined();
  });

  it('count the conflicts of a scope in a row, from the last success on', () => {
    const queues = new ScopeQueues();
    for (const name of ['a', 'b']) queues.add(jobOf({ scope: name }));
    expect([queues.conflicted(groupOf('a'), 0), queues.conflicted(groupOf('a', 'b'), 0)]).toEqual([1, 2]);
    queues.succeeded(groupOf('a', 'b'), true);
    expect(queues.conflicted(groupOf('b', 'a'), 0)).toBe(1);
  });

  it('hold a scope back until the later of two moments, and say whether anything waits in it', () => {
    const queues = new ScopeQueues();
    expect(queues.hasJobs('a')).toBe(false);
    queues.holdBack('a', 50);
    queues.add(jobOf({ scope: 'a' }));
    expect(queues.hasJobs('a')).toBe(true);
    queues.holdBack('a', 50);
    queues.holdBack('a', 10);
    expect(queues.nextWake(0)).toBe(50);
    expect(queues.takeGroup(49, false)).toBeUndefined();
    expect(queues.takeGroup(50, false)!.jobs).toHaveLength(1);
    expect(queues.hasJobs('a')).toBe(false);
  });

  it('hold fewer observed documents in a transaction after a conflict, at least 50, and step by step more again', () => {
    const queues = new ScopeQueues();
    const next = (): Group => {
      while (queues.removeAll().length > 0);
      for (let pieces = 0; pieces < 50; pieces++)
        queues.add(jobOf({ scope: 's', changes: 25, observed: 25 }));
      const group = queues.takeGroup(0, false)!;
      queues.release('s');
      return group;
    };
    const sizes = (end: (group: Group) => void, times: number): number[] =>
      Array.from({ length: times }, () => {
        const group = next();
        end(group);
        return group.jobs.length * 25;
      });
    expect(sizes((group) => queues.conflicted(group, 0), 4)).toEqual([1000, 500, 250, 125]);
    expect(sizes((group) => queues.succeeded(group, false), 3)).toEqual([50, 50, 50]);
    expect(sizes((group) => queues.succeeded(group, true), 8)).toEqual([50, 50, 50, 75, 75, 100, 100, 100]);
  });

  it('hold as many pushes as ever while observed documents conflict', () => {
    const queues = new ScopeQueues();
    for (let conflicts = 0; conflicts < 9; conflicts++)
      queues.conflicted({ jobs: [jobOf({ scope: 's', observed: 25 })], scopes: ['s'] }, -5000);
    for (const observed of [25, 25, 25, 0])
      queues.add(jobOf({ scope: 's', changes: observed || 400, observed }));
    queues.add(jobOf({ scope: 't', changes: 400 }));
    const changes = (group: Group): number[] => group.jobs.map((job) => job.request.changes.length);
    expect(changes(queues.takeGroup(0, false)!)).toEqual([25, 25, 400]);
    queues.release('s');
    expect(changes(queues.takeGroup(0, false)!)).toEqual([25, 400]);
  });
});
