import { isObject, type PushResponse } from 'nest-offline-sync-protocol';
import { Alarm } from './alarm.ts';
import { giveUpAll } from './access.ts';
import { isOver, type Replica } from './replica.ts';
import {
  expire,
  freezePush,
  park,
  refuseUnit,
  takeAnswer,
  thaw,
  type Answered,
  type FrozenPush,
} from './pushing.ts';
import { waitFor } from './rules/backoff.ts';
import { offsetOf } from './rules/clock.ts';
import type { Failure } from './rules/failure.ts';
import type { PushLimits } from './rules/push-plan.ts';
import { denied, deniesScope } from './rules/rights.ts';
import { blockOf, type BlockedBy } from './rules/reader-state.ts';
import type { Tuning } from './options.ts';
import type { Answer } from './transport.ts';

export interface PusherPorts {
  readonly tuning: Tuning;
  /** Sends a push body: over the socket if one stands, else over HTTP. */
  readonly send: (body: object) => Promise<Answer>;
  /** Something has changed in what the pusher does. */
  readonly changed: () => void;
  /** Everything has to be loaded again: a parent is of another database. */
  readonly reload: () => void;
  /** Another leader has come, or the database is gone. */
  readonly over: (error: unknown) => void;
}

/** What a pusher does. Each state ends by itself; `idle` also with the next edit. */
export type PusherState =
  | { readonly phase: 'idle' }
  | { readonly phase: 'sending'; readonly count: number }
  | { readonly phase: 'waiting'; readonly until: number; readonly failure: Failure }
  | { readonly phase: 'blocked'; readonly by: BlockedBy; readonly until: number; readonly failure: Failure };

/** Failures of the server at the same push, before it is halved. */
const FAULTS = 5;
const PARKED_MS = 3_600_000;
const BLOCK_MS = 60_000;
const FULL_MS = 30_000;
const LOOK_MS = 30_000;

/** Takes mutations to the server, one push at a time. It reads nothing, and a reader that stands still does not stop it. */
export class Pusher {
  state: PusherState = { phase: 'idle' };
  private readonly alarm: Alarm;
  private isStopped = false;
  private failures = 0;
  private faults = 0;
  /** Since when pushes into the scope are refused. */
  private deniedSince: number | undefined;
  /** Less than the server's limits, after it has refused a push as too large or failed at it. */
  private cap: PushLimits;
  private running: Promise<void> | undefined;

  constructor(
    private readonly replica: Replica,
    private readonly ports: PusherPorts,
  ) {
    this.alarm = new Alarm(replica.environment);
    this.cap = ports.tuning.push;
  }

  start(): void {
    this.isStopped = false;
    this.state = { phase: 'idle' };
    this.running ??= this.run().finally(() => (this.running = undefined));
  }

  /** After a push that is on its way has ended: abort the transport to make that soon. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.alarm.ring();
    await this.running;
  }

  /** There is something new to send, or a reason to try again at once. */
  kick(): void {
    this.alarm.ring();
  }

  private async run(): Promise<void> {
    while (!this.isStopped)
      try {
        await this.step();
      } catch (error) {
        if (isOver(error)) return this.ports.over(error);
        const failure = storageFailure(error);
        if (!(await this.block(failure))) await this.pause(failure);
      }
  }

  private async step(): Promise<void> {
    await expire(this.replica);
    const push = await freezePush(this.replica, this.cap);
    if (!push) {
      this.enter({ phase: 'idle' });
      return this.alarm.sleep(this.nextLook());
    }
    this.enter({ phase: 'sending', count: push.units.flat().length });
    const answer = await this.ports.send(this.body(push));
    // It stays frozen, and goes again when this starts again.
    if (this.isStopped) return;
    if (!answer.ok) return this.failed(push, answer.failure);
    const { body, sentAt, receivedAt } = answer;
    if (!isPushResponse(body, push.changes.length)) return this.failed(push, BAD_ANSWER);
    const offset =
      body.server_time === undefined ? undefined : offsetOf(body.server_time, sentAt, receivedAt);
    const answered = await takeAnswer(this.replica, push, body, offset);
    this.tellPush(push, body, receivedAt - sentAt);
    await this.taken(answered);
  }

  private tellPush({ units, isRetry }: FrozenPush, { results }: PushResponse, ms: number): void {
    const changes = units.flat().length;
    const own = results.slice(results.length - changes);
    const count = (status: string): number => own.filter((each) => each.status === status).length;
    const [accepted, resolved, rejected] = ['accepted', 'conflict_resolved', 'rejected'].map(count) as [
      number,
      number,
      number,
    ];
    this.ports.tuning.tell({ type: 'push', changes, accepted, resolved, rejected, isRetry, ms });
  }

  private async taken({ again }: Answered): Promise<void> {
    this.deniedSince = undefined;
    this.faults = 0;
    const { changes, bytes } = this.ports.tuning.push;
    this.cap = {
      changes: Math.min(changes, this.cap.changes * 2),
      bytes: Math.min(bytes, this.cap.bytes * 2),
    };
    if (again.includes('orphan')) this.ports.reload();
    if (!again.includes('later')) this.failures = 0;
    else
      await this.pause({
        ...BAD_ANSWER,
        code: 'later',
        message: 'The server could not judge a change just now.',
      });
  }

  private async failed(push: FrozenPush, failure: Failure): Promise<void> {
    if (!push.isRetry && hasNoEffect(failure)) await thaw(this.replica, push);
    if ((await this.isShutOut(failure)) || (await this.block(failure))) return;
    if (failure.kind === 'too-large' || failure.kind === 'malformed') return this.halve(push, failure);
    if (failure.kind === 'internal') {
      this.faults += 1;
      if (this.faults >= FAULTS) {
        this.faults = 0;
        if (push.units.length > 1) this.cap = { ...this.cap, changes: half(push.units.flat().length) };
        else await park(this.replica, push.units, this.now() + PARKED_MS);
        return;
      }
    }
    await this.pause(failure);
  }

  /** The scope may be read at most: what waits is the user's to decide about. */
  private async isShutOut(failure: Failure): Promise<boolean> {
    if (this.replica.scope === undefined || !deniesScope(failure)) return false;
    const { since, isLost } = denied(this.deniedSince, this.now());
    this.deniedSince = isLost ? undefined : since;
    if (isLost) await giveUpAll(this.replica, failure);
    return isLost;
  }

  /** Fewer at a time, until it is clear which one the server, or something before it, does not take. */
  private async halve(push: FrozenPush, failure: Failure): Promise<void> {
    const [first] = push.units;
    if (first && push.units.length === 1)
      return refuseUnit(this.replica, first, 'transport_refused', failure.message);
    const changes = half(push.units.flat().length);
    this.cap = { changes, bytes: failure.kind === 'too-large' ? half(this.cap.bytes) : this.cap.bytes };
  }

  private async block(failure: Failure): Promise<boolean> {
    const by = blockOf(failure);
    if (!by) return false;
    const until = this.now() + (by === 'storage' ? FULL_MS : BLOCK_MS);
    this.enter({ phase: 'blocked', by, until, failure });
    await this.alarm.sleep(until);
    return true;
  }

  private async pause(failure: Failure): Promise<void> {
    this.failures += 1;
    const { environment } = this.replica;
    const { backoff } = this.ports.tuning;
    const until = this.now() + waitFor(this.failures, environment.random(), failure.retryAfterMs, backoff);
    this.enter({ phase: 'waiting', until, failure });
    await this.alarm.sleep(until);
  }

  private body({ changes, identity }: FrozenPush): object {
    const { scope, client } = this.replica;
    const { clientSchema } = this.ports.tuning;
    return {
      client_id: client.id,
      ...(scope === undefined ? {} : { scope }),
      ...(identity === undefined ? {} : { expected_identity: identity }),
      ...(clientSchema === undefined ? {} : { client_schema: clientSchema }),
      atomic: 'mutation',
      changes,
    };
  }

  /** When to look again without being told: something is parked, or another tab has written and could not say so. */
  private nextLook(): number {
    const parked = this.replica
      .pending()
      .flatMap(({ parkedUntil: until = 0 }) => (until > this.now() ? [until] : []));
    return Math.min(this.now() + LOOK_MS, ...parked);
  }

  private now(): number {
    return this.replica.environment.now();
  }

  private enter(state: PusherState): void {
    this.state = state;
    this.ports.changed();
  }
}

const BAD_ANSWER: Failure = {
  kind: 'transient',
  code: 'bad_answer',
  message: 'The answer to a push could not be read.',
  retryAfterMs: 0,
};

/** The server itself has refused the request as a whole, before it wrote anything. */
function hasNoEffect({ kind, code }: Failure): boolean {
  return (kind === 'forbidden' || kind === 'identity' || kind === 'outdated') && !code.startsWith('http_');
}

function half(count: number): number {
  return Math.max(1, Math.ceil(count / 2));
}

function isPushResponse(body: unknown, count: number): body is PushResponse {
  return isObject(body) && Array.isArray(body['results']) && body['results'].length === count;
}

export function storageFailure(error: unknown): Failure {
  const code = isObject(error) && typeof error['code'] === 'string' ? error['code'] : 'client';
  const message = error instanceof Error ? error.message : String(error);
  return { kind: 'transient', code, message, retryAfterMs: 0 };
}
