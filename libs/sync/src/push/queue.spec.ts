import { Logger } from '@nestjs/common';
import mongoose from 'mongoose';
import { NoMetrics } from '../metrics/metrics';
import { resolveSettings } from '../options/settings';
import type { Committed, Committer } from '../commit/committer';
import type { FairTurns } from '../cluster/fair-turns';
import type { Plan, PlanRequest } from '../plan/plan';
import { RefusedWrite } from '../commit/refused-write';
import { PushQueue } from './queue';
import { TransientSyncError, UnknownCommitError } from '../database/transaction';

/** A committer whose transactions end as the test says. The real one has its tests on a real database. */
class ScriptedCommitter {
  readonly groups: (readonly PlanRequest[])[] = [];
  private waiting: ((error?: Error) => void)[] = [];

  constructor(private readonly script: (requests: readonly PlanRequest[]) => Error | 'held' | undefined) {}

  async commit(requests: readonly PlanRequest[]): Promise<Committed> {
    this.groups.push(requests);
    let error = this.script(requests);
    if (error === 'held') error = await new Promise<Error | undefined>((end) => this.waiting.push(end));
    if (error) throw error;
    const plan: Plan = {
      outcomes: requests.map(() => ({ kind: 'decided', decisions: [] })),
      writes: [],
      entries: [],
      steps: [],
      receipts: [],
      heads: [],
      missingBases: [],
      needsReceipts: false,
    };
    return { plan, conflicts: 0 };
  }

  finish(error?: Error): void {
    for (const end of this.waiting.splice(0)) end(error);
  }

  /** The groups as lists of client ids. */
  get clients(): string[][] {
    return this.groups.map((group) => group.map((request) => request.clientId));
  }
}

function queueOver(committer: ScriptedCommitter, lanes = 1, shutdownTimeoutMs = 30): PushQueue {
  const settings = { ...resolveSettings({ collections: [] }), lanes, shutdownTimeoutMs };
  // One process alone: no other wants the turn.
  const turns = { conflicted: () => undefined, isContended: () => false } as unknown as FairTurns;
  return new PushQueue(committer as unknown as Committer, turns, settings, new NoMetrics());
}

function request(clientId: string, scopeId = 's'): PlanRequest {
  const change = { kind: 'ready', collection: 'c', key: clientId } as never;
  return { scopeId, actorId: 'a', clientId, atomic: 'batch', changes: [change] };
}

const soon = (ms = 5000): number => performance.now() + ms;
const verdictOf = ({ changes: [entry] }: PlanRequest): unknown =>
  entry?.kind === 'ready' ? entry.verdict : undefined;

describe('the push queue', () => {
  beforeAll(() => {
    Logger.overrideLogger(false);
  });

  it('shares one transaction among all that wait, in the order of their coming', async () => {
    let held = true;
    const committer = new ScriptedCommitter(() => (held ? 'held' : undefined));
    const queue = queueOver(committer);
    const pushes = ['one', 'two', 'three'].map((client) => queue.submit(request(client), 10, soon()));
    held = false;
    committer.finish();
    await Promise.all(pushes);
    expect(committer.clients).toEqual([['one'], ['two', 'three']]);
  });

  it('lets the database refuse a change only when its push was alone: another one may have been in the way', async () => {
    const taken = { code: 'unique_violation', message: 'taken' } as const;
    let held = true;
    // Refused among others, and refused alone too, unless it carries the verdict.
    const committer = new ScriptedCommitter((requests) => {
      if (held) return 'held';
      const at = requests.findIndex((each) => each.clientId === 'bad' && !verdictOf(each));
      return at < 0 ? undefined : new RefusedWrite({ request: at, change: 0 }, taken);
    });
    const queue = queueOver(committer);
    const pushes = ['first', 'good', 'bad', 'next'].map((client) =>
      queue.submit(request(client), 10, soon()),
    );
    held = false;
    committer.finish();
    await Promise.all(pushes);
    expect(committer.clients).toEqual([
      ['first'],
      ['good', 'bad', 'next'],
      ['good'],
      ['bad'],
      ['bad'],
      ['next'],
    ]);
    expect(committer.groups.map((group) => group.map(verdictOf).filter(Boolean))).toEqual([
      [],
      [],
      [],
      [],
      [taken],
      [],
    ]);
  });

  it('tries conflicts again until the deadline of each push, then says busy', async () => {
    const committer = new ScriptedCommitter(() => new TransientSyncError('moved'));
    const queue = queueOver(committer);
    const ends: string[] = [];
    const note = (name: string) => (error: unknown) => {
      ends.push(name);
      return error;
    };
    const long = queue.submit(request('long'), 10, soon(150)).catch(note('long'));
    const short = queue.submit(request('short'), 10, soon(60)).catch(note('short'));
    expect(await short).toMatchObject({ code: 'busy', retryAfterSeconds: 1 });
    expect(await long).toMatchObject({ code: 'busy' });
    expect(ends).toEqual(['short', 'long']);
    expect(committer.groups.length).toBeGreaterThan(2);
  });

  it('never runs a group again whose commit may have happened', async () => {
    let held = true;
    const committer = new ScriptedCommitter(() => (held ? 'held' : new UnknownCommitError(undefined)));
    const queue = queueOver(committer);
    const first = queue.submit(request('first'), 10, soon());
    const others = ['b', 'c'].map((client) => queue.submit(request(client), 10, soon()));
    held = false;
    committer.finish();
    await first;
    for (const end of await Promise.allSettled(others))
      expect(end).toMatchObject({ status: 'rejected', reason: { code: 'unavailable' } });
    expect(committer.clients).toEqual([['first'], ['b', 'c']]);
  });

  it('finds the one that breaks a group, and commits the others', async () => {
    let held = true;
    const committer = new ScriptedCommitter((requests) =>
      held ? 'held' : requests.some((each) => each.clientId === 'bad') ? new TypeError('odd') : undefined,
    );
    const queue = queueOver(committer);
    const first = queue.submit(request('first'), 10, soon());
    const ends = ['a', 'bad', 'b'].map((client) => queue.submit(request(client, client), 10, soon()));
    held = false;
    committer.finish();
    await first;
    expect((await Promise.allSettled(ends)).map((end) => end.status)).toEqual([
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
  });

  it('never runs a push of a scope while a turn holds it, and goes on when the turn is released', async () => {
    const committer = new ScriptedCommitter(() => undefined);
    const queue = queueOver(committer);
    const release = await queue.holdTurn('s');
    const held = queue.submit(request('held'), 10, soon());
    await queue.submit(request('free', 'other'), 10, soon());
    expect(committer.clients).toEqual([['free']]);
    release();
    release();
    await held;
    expect(committer.clients).toEqual([['free'], ['held']]);
  });

  it('gives up a push at its deadline while a turn holds the scope', async () => {
    const queue = queueOver(new ScriptedCommitter(() => undefined));
    const release = await queue.holdTurn('s');
    await expect(queue.submit(request('late'), 10, soon(20))).rejects.toMatchObject({ code: 'busy' });
    release();
    await queue.submit(request('next'), 10, soon());
  });

  it('at shutdown ends what is in flight and what waits, and takes nothing new', async () => {
    let held = true;
    const committer = new ScriptedCommitter(() => (held ? 'held' : undefined));
    const queue = queueOver(committer, 1, 5000);
    const pushes = ['a', 'b'].map((client) => queue.submit(request(client), 10, soon()));
    const closed = queue.beforeApplicationShutdown();
    expect(() => queue.submit(request('c'), 10, soon())).toThrow(
      expect.objectContaining({ code: 'shutting_down' }),
    );
    await expect(queue.holdTurn('s')).rejects.toMatchObject({ code: 'shutting_down' });
    held = false;
    committer.finish();
    await Promise.all([...pushes, closed]);
    expect(committer.clients).toEqual([['a'], ['b']]);
  });

  it('past the time for the shutdown tells the rest to come again, also what fails later', async () => {
    const committer = new ScriptedCommitter(() => 'held');
    const queue = queueOver(committer);
    const ends = ['running', 'waiting'].map((client) => queue.submit(request(client), 10, soon()));
    const settled = Promise.allSettled(ends);
    await queue.beforeApplicationShutdown();
    committer.finish(new mongoose.mongo.MongoNetworkError('gone'));
    for (const end of await settled)
      expect(end).toMatchObject({ status: 'rejected', reason: { code: 'shutting_down' } });
    expect(committer.groups).toHaveLength(1);
  });
});
