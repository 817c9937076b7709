import type { Device, Outgoing } from '../wire/device';
import type { PushEvent } from '../history';
import { ChangeMaker } from './change-maker';
import { ownersOf } from './owners';
import type { Party } from './party';
import { pause } from './pause';
import { PushPlanner, type PushPlan } from './push-plan';
import { Random } from './random';

const KEPT_REPLAYS = 20;

/** A push as it was sent, to be sent again. */
export interface SentPush {
  readonly client: string;
  readonly atomic: 'batch' | 'mutation';
  readonly changes: readonly Outgoing[];
}

/** A device that edits and pushes, and sends again what was not answered. */
export class Writer {
  readonly client: string;
  /** The push that never got an answer, when the run ended before one came. */
  unanswered: SentPush[] = [];
  /** Some of the answered ones. */
  readonly answered: SentPush[] = [];
  private readonly device: Device;
  private readonly second: Device;
  private readonly planner: PushPlanner;
  private readonly maker: ChangeMaker;
  private readonly timing: Random;
  private cursor: string | null = null;

  /** @param index unlike that of any other writer of the log */
  constructor(
    readonly party: Party,
    index: number,
  ) {
    const { settings, features, collections, patchable, secret, idRun, label } = party;
    const { seed, run, maxBatch, flaws, maxDocumentBytes } = settings;
    // The same names in both tenants: what one of them leaves must mean nothing to the other.
    this.client =
      party.scope === undefined ? `w${String(index)}` : `${party.tenant[0] ?? ''}${String(index)}`;
    const stream = `${label} ${this.client}`;
    this.device = party.device();
    this.second = party.device();
    this.planner = new PushPlanner(new Random(seed, stream), {
      collections: collections.length,
      maxBatch,
      flaws,
      patchable: collections.map(({ name }) => patchable.has(name)),
      has: {
        groups: features.has('groups'),
        parents: features.has('parent_mutation'),
        returns: features.has('return_document'),
        sockets: features.has('socket_push'),
      },
    });
    this.timing = new Random(seed, `${stream} timing`);
    const owners = ownersOf(party);
    const name = { run, idRun, client: this.client, secret, ...owners, owner: owners.own + index };
    this.maker = new ChangeMaker(name, collections, maxDocumentBytes, () => Date.now());
  }

  /** Until `end`, or the run's limits. */
  async write(end: AbortSignal): Promise<void> {
    const { journal, settings } = this.party;
    for (let pushes = 0; pushes < settings.maxPushes; pushes++) {
      if (end.aborted || journal.count.changes >= settings.maxChanges) return;
      const plan = this.planner.next();
      await pause(plan.pause * settings.writerPauseMs, end);
      if (end.aborted) return;
      await this.carryOut(plan, end);
    }
  }

  private async carryOut(plan: PushPlan, end: AbortSignal): Promise<void> {
    const changes = inGroups(this.maker.make(plan.changes), plan.grouped);
    const push = { client: this.client, atomic: plan.atomic, changes };
    const sends = [this.send(this.device, push, plan.overSocket)];
    if (plan.twice) sends.push(this.send(this.second, push, false));
    const [first] = await Promise.all(sends);
    if (first && isOpen(first)) await this.insist(push, end);
    else this.keep(push);
    if (plan.pullAfter) await this.pull();
  }

  /** Until there is an answer or the end. */
  private async insist(push: SentPush, end: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries++) {
      await pause(this.timing.between(20, Math.min(50 * tries, 250)), end);
      if (end.aborted) {
        this.unanswered.push(push);
        return;
      }
      const overSocket = this.party.features.has('socket_push') && this.timing.chance(0.3);
      if (!isOpen(await this.send(this.device, push, overSocket))) return;
    }
  }

  private async send(
    device: Device,
    { client, atomic, changes }: SentPush,
    overSocket: boolean,
  ): Promise<PushEvent> {
    const event = await this.party.push(device, client, atomic, changes, overSocket);
    this.maker.learn(event);
    return event;
  }

  private keep(push: SentPush): void {
    if (push.changes.some(({ sent }) => sent.flaw === 'too-large')) return;
    if (this.answered.length < KEPT_REPLAYS) this.answered.push(push);
    else if (this.timing.chance(0.05)) this.answered[this.timing.between(0, KEPT_REPLAYS - 1)] = push;
  }

  /** A device that just pushed reads right away: what was acknowledged must be there. */
  private async pull(): Promise<void> {
    const device = this.timing.chance(0.5) ? this.device : this.second;
    const reader = `${this.party.label}-writer-${this.client}`;
    const since = this.cursor ?? this.party.recentVersion(0);
    const { page } = await this.party.pull(device, reader, { since, collections: null, limit: 1000 });
    if (page === null) return;
    this.cursor = 'lastSeq' in page ? page.lastSeq : null;
  }
}

/** The groups are those of one push: the same changes go again in others. */
function inGroups(changes: readonly Outgoing[], size: number): readonly Outgoing[] {
  if (size === 0) return changes;
  return changes.map(({ sent, wire }, index) => {
    const group = `g${String(Math.floor(index / size))}`;
    return { sent: { ...sent, group }, wire: { ...wire, group } };
  });
}

/** No answer, or one that asks to retry. */
export function isOpen({ answer }: PushEvent): boolean {
  return answer === null || answer.status >= 500 || answer.status === 429;
}
