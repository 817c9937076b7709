import type { PushResponse, PushResult } from 'nest-offline-sync-protocol';
import { readMeta, writeMeta } from './meta.ts';
import { giveUp, quarantine } from './quarantine.ts';
import type { Replica } from './replica.ts';
import { later } from './rules/clock.ts';
import { isForgotten, together, falling, verdictOn, type Remedy, type Verdict } from './rules/disposition.ts';
import { docKey, type Mutation, type WireChange } from './rules/mutation.ts';
import { frozen, planPush, wireChanges, type PushLimits, type Unit } from './rules/push-plan.ts';
import type { Work } from './work.ts';

/** A push that is written down and may be sent. */
export interface FrozenPush {
  /** It has been sent before, and may have taken effect. */
  readonly isRetry: boolean;
  readonly units: readonly Unit[];
  readonly changes: readonly WireChange[];
  /** Whose data the server said this is, if it has. */
  readonly identity: string | undefined;
}

export interface Answered {
  /** What is to be sent again, why, by unit. */
  readonly again: readonly Remedy[];
  readonly refused: number;
}

/**
 * R4, R8: decides what goes, and freezes it before anything is sent, in one transaction under the epoch. Undefined: nothing may go just
 * now.
 *
 * @param cap less than the server's limits
 */
export async function freezePush(replica: Replica, cap: PushLimits): Promise<FrozenPush | undefined> {
  const deviceNow = replica.environment.now();
  return replica.write('leader', async (work) => {
    const { meta } = work.stores;
    const { offset, last } = await readMeta(meta, 'clock');
    if (offset === undefined) return undefined;
    const { info, identity } = await readMeta(meta, 'server');
    const { max_changes: changes = Infinity, max_push_bytes: bytes = Infinity } = info?.limits ?? {};
    const limits = { changes: Math.min(changes, cap.changes), bytes: Math.min(bytes, cap.bytes) };
    const outbox = await work.outbox();
    const plan = planPush(outbox, limits, deviceNow);
    if (plan.units.length === 0) return undefined;
    const clock = { deviceNow, offset, last, node: replica.client.node };
    const units: Unit[] = [];
    const outboxOf = byDocument(outbox);
    await work.documents.holdAll(plan.units.flat());
    for (const unit of plan.units) {
      const sent = unit.map((each) =>
        each.state === 'sent' ? each : frozen(each, outboxOf(each), unit.length === 1, clock),
      );
      for (const each of sent) await work.put(each);
      units.push(sent);
    }
    return { units, changes: wireChanges(units, outbox), isRetry: plan.isRetry, identity };
  });
}

/** The mutations of the document of one, in order. */
function byDocument(outbox: readonly Mutation[]): (of: Mutation) => readonly Mutation[] {
  const all = new Map<string, Mutation[]>();
  for (const each of outbox) {
    const key = docKey(each.collection, each.doc);
    const some = all.get(key) ?? [];
    all.set(key, some);
    some.push(each);
  }
  return ({ collection, doc }) => all.get(docKey(collection, doc)) ?? [];
}

/** Writes down what a push was answered. What was answered meanwhile, in another tab, stays as it is. */
export async function takeAnswer(
  replica: Replica,
  push: FrozenPush,
  { results }: PushResponse,
  offset: number | undefined,
): Promise<Answered> {
  const own = results.slice(push.changes.length - push.units.flat().length);
  const now = replica.environment.now();
  return replica.write('leader', async (work) => {
    const verdicts: Verdict[] = [];
    const outbox = await work.outbox();
    const current = new Map(outbox.map((each) => [each.seq, each]));
    await work.documents.holdAll(push.units.flat());
    let at = 0;
    for (const unit of push.units) {
      const answers = own.slice(at, at + unit.length);
      at += unit.length;
      const open = unit.flatMap((each) => {
        const now_ = current.get(each.seq);
        return now_?.id === each.id && now_.state === 'sent' ? [now_] : [];
      });
      if (open.length === unit.length && answers.length === unit.length)
        verdicts.push(verdictOn(open, answers, outbox));
    }
    const answered = await dispose(work, replica, verdicts, now);
    const clock = await readMeta(work.stores.meta, 'clock');
    const taken = verdicts.flatMap((each) => (each.kind === 'answered' ? each.unit : []));
    const stamps = taken.map((each) => each.sent?.change.hlc ?? null);
    const versions = own.map((each) => each.new_version);
    await writeMeta(work.stores.meta, 'clock', {
      offset: offset ?? clock.offset,
      last: stamps.reduce(later, clock.last),
      seen: versions.reduce(later, clock.seen),
    });
    return answered;
  });
}

async function dispose(
  work: Work,
  replica: Replica,
  verdicts: readonly Verdict[],
  now: number,
): Promise<Answered> {
  const { generation, cursor } = await readMeta(work.stores.meta, 'position');
  const { info } = await readMeta(work.stores.meta, 'server');
  const readable = info && new Set(info.collections.map(({ name }) => name));
  const strategy = await replica.strategies(work);
  const again: Remedy[] = [];
  let refused = 0;
  const touched = new Map<string, Mutation>();
  for (const verdict of verdicts) {
    for (const each of verdict.unit) touched.set(docKey(each.collection, each.doc), each);
    if (verdict.kind === 'again') {
      again.push(verdict.remedy);
      for (const each of verdict.unit) await work.put(each);
      continue;
    }
    for (const [index, mutation] of verdict.unit.entries()) {
      const result = verdict.results[index] as PushResult;
      const { nextBase: known } = await work.document(mutation.collection, mutation.doc);
      await learnFrom(work, mutation, result, generation, readable?.has(mutation.collection) ?? true);
      if (verdict.kind === 'refused') continue;
      const version = result.new_version ?? '';
      await work.put({ ...mutation, state: 'answered', answer: { version }, parkedUntil: undefined });
      const told = result.server_document;
      const document = told && told.data && work.shape(mutation.collection, told.data);
      const isResolved = result.status === 'conflict_resolved';
      work.ended(mutation.id, { status: isResolved ? 'resolved' : 'accepted', version, document });
      const { collection, doc: id, after: mine, before: base } = mutation;
      if (!isResolved) continue;
      const isKnown = known?.version && known.version === result.server_version;
      const theirs = isKnown ? known.data && work.shape(collection, known.data) : undefined;
      work.conflicted({ collection, id, mine, base, theirs, result: document });
    }
    if (verdict.kind === 'refused') {
      refused += 1;
      for (const each of await quarantine(work, verdict.unit, verdict.results, now))
        touched.set(docKey(each.collection, each.doc), each);
    }
  }
  for (const { collection, doc } of touched.values())
    await work.settle(collection, doc, cursor, strategy(collection));
  return { again, refused };
}

/** R3: an answer puts its document into the base, if that is newer. What this replica may not read stays as the user made it. */
async function learnFrom(
  work: Work,
  { collection, doc: id, after }: Mutation,
  { server_document: document, new_version: version }: PushResult,
  generation: number,
  isReadable: boolean,
): Promise<void> {
  if (document?.version) {
    const { version: at, data } = document;
    await work.learn(collection, [{ id, version: at, data, generation }]);
  } else if (!isReadable && version !== null)
    await work.learn(collection, [{ id, version, data: after, generation, local: true }]);
}

/**
 * A push that was refused as a whole, and never sent before: it has had no effect, so it counts as not sent. What goes later is stamped
 * then, and keeps its id.
 */
export async function thaw(replica: Replica, { units }: FrozenPush): Promise<void> {
  await replica.write('leader', async (work) => {
    const current = new Map((await work.outbox()).map((each) => [each.seq, each]));
    for (const { seq } of units.flat()) {
      const mutation = current.get(seq);
      if (mutation?.state === 'sent')
        await work.put({
          ...mutation,
          state: 'waiting',
          sent: undefined,
          returns: Math.max(1, mutation.returns),
        });
    }
  });
}

/** What was sent so long ago that the server may have forgotten its answer is never sent again: it could take effect twice. */
export async function expire(replica: Replica): Promise<void> {
  const sent = replica.pending().filter(({ state }) => state === 'sent');
  if (sent.length === 0) return;
  const now = replica.environment.now();
  const { info } = await replica.meta('server');
  const isOld = (each: Mutation): boolean => isForgotten(each, info?.retention, now);
  if (!sent.some(isOld)) return;
  await replica.write('leader', async (work) => {
    const outbox = await work.outbox();
    const old = outbox.filter((each) => each.state === 'sent' && isOld(each));
    // With it goes what was made on it: nobody knows what that would be made on.
    for (const group of together(falling(old, outbox))) await giveUp(work, group, undefined, now);
  });
}

/** Nothing more is tried for these for a while: the server fails at them. */
export async function park(replica: Replica, units: readonly Unit[], until: number): Promise<void> {
  await replica.write('leader', async (work) => {
    const current = new Map((await work.outbox()).map((each) => [each.seq, each]));
    for (const { seq } of units.flat()) {
      const mutation = current.get(seq);
      if (mutation?.state === 'sent') await work.put({ ...mutation, parkedUntil: until });
    }
  });
}

/** A unit that no server will take, whatever is sent with it. */
export async function refuseUnit(replica: Replica, unit: Unit, code: string, message: string): Promise<void> {
  const now = replica.environment.now();
  await replica.write('leader', async (work) => {
    const current = new Map((await work.outbox()).map((each) => [each.seq, each]));
    const open = unit.flatMap((each) => {
      const found = current.get(each.seq);
      return found?.state === 'sent' ? [found] : [];
    });
    if (open.length !== unit.length) return;
    const told = open.map((_, index) => ({ code: index === 0 ? code : 'batch_rolled_back', error: message }));
    const { cursor } = await readMeta(work.stores.meta, 'position');
    const strategy = await replica.strategies(work);
    for (const each of await quarantine(work, open, told, now))
      await work.settle(each.collection, each.doc, cursor, strategy(each.collection));
  });
}
