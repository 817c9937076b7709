import { utf8Length } from 'nest-offline-sync-protocol';
import { docKey, type Change, type Mutation, type WireChange } from './mutation.ts';
import { stampOf, type ClockReading } from './clock.ts';

/** How much a push may hold: of the server's limits, less after it has found a push too large. */
export interface PushLimits {
  readonly changes: number;
  /** Counted as the server does: data as JSON in UTF-8, and 128 a change. */
  readonly bytes: number;
}

/** Changes that travel and fall together: a local transaction, or a single mutation. */
export type Unit = readonly Mutation[];

/** R4: which mutations go into the next push, in the order in which they go. */
export interface PushPlan {
  readonly units: readonly Unit[];
  /** They were sent before, and their answer is missing: they go again in the same words, and nothing new goes with them. */
  readonly isRetry: boolean;
}

/**
 * R4. At most one unit a document goes, in the order of edits; what a document's earlier mutation holds up waits for it, and so does
 * all that stands on that. While something that was sent is not answered, nothing else is sent.
 *
 * @param outbox all mutations, by `seq`
 * @param now the device's clock, for what is parked
 */
export function planPush(outbox: readonly Mutation[], limits: PushLimits, now: number): PushPlan {
  const isParked = ({ parkedUntil }: Mutation): boolean => parkedUntil !== undefined && parkedUntil > now;
  const isRetry = outbox.some((each) => each.state === 'sent' && !isParked(each));
  const held = new Set<string>();
  const units: Unit[] = [];
  const room = { changes: limits.changes, bytes: limits.bytes };
  let isFull = false;
  for (const unit of unitsOf(outbox)) {
    const open = unit.filter((each) => each.state !== 'answered');
    if (open.length === 0) continue;
    const keys = unit.map((each) => docKey(each.collection, each.doc));
    const mayGo =
      !isFull &&
      open.every((each) => (each.state === 'sent') === isRetry && !isParked(each) && !each.orphan) &&
      keys.every((key) => !held.has(key));
    for (const key of keys) held.add(key);
    if (!mayGo) continue;
    const size = sizeOf(open, outbox);
    // What alone is too large goes alone: the server says so, and with it the user.
    isFull = size.changes > room.changes || size.bytes > room.bytes;
    if (isFull && units.length > 0) continue;
    units.push(open);
    room.changes -= size.changes;
    room.bytes -= size.bytes;
  }
  return { units, isRetry };
}

/** The mutations of an outbox as units, in order. The mutations of a transaction follow each other. */
export function unitsOf(outbox: readonly Mutation[]): Unit[] {
  const units: Mutation[][] = [];
  for (const mutation of outbox) {
    const last = units.at(-1);
    if (mutation.tx !== undefined && last?.[0]?.tx === mutation.tx) last.push(mutation);
    else units.push([mutation]);
  }
  return units;
}

/** The mutation of the same document before this one, if it is still there. */
export function predecessor(
  outbox: readonly Mutation[],
  { seq, collection, doc }: Mutation,
): Mutation | undefined {
  return outbox.filter((each) => each.seq < seq && each.collection === collection && each.doc === doc).at(-1);
}

/** Freezes a mutation: from now on it is sent in these words. */
export function frozen(
  mutation: Mutation,
  outbox: readonly Mutation[],
  isAlone: boolean,
  clock: ClockReading,
): Mutation {
  const parent = predecessor(outbox, mutation);
  const change: WireChange = {
    collection: mutation.collection,
    doc_id: mutation.doc,
    ...bodyOf(mutation.wire ?? mutation.change),
    parent_version: mutation.parent,
    hlc: stampOf(mutation, clock),
    mutation_id: mutation.id,
    ...(parent ? { parent_mutation_id: parent.id } : {}),
    ...(isAlone || mutation.tx === undefined ? {} : { group: mutation.tx }),
    return: 'document',
  };
  return { ...mutation, state: 'sent', sent: { change, at: clock.deviceNow } };
}

/**
 * The changes of a push. A mutation that the server wants to see the parent of brings it along, as it was sent; that one was
 * answered and has no effect.
 */
export function wireChanges(units: readonly Unit[], outbox: readonly Mutation[]): WireChange[] {
  const parents: WireChange[] = [];
  const own = units.flat().flatMap((mutation) => {
    const parent = mutation.withParent && predecessor(outbox, mutation)?.sent?.change;
    if (parent) parents.push(alone(parent));
    return mutation.sent ? [mutation.sent.change] : [];
  });
  return [...parents, ...own];
}

function alone({ group: _, ...change }: WireChange): WireChange {
  return change;
}

type Body = Pick<WireChange, 'operation' | 'data' | 'unset' | 'inc' | 'add' | 'remove'>;

function bodyOf(change: Change): Body {
  if (change.operation === 'delete') return { operation: 'delete' };
  if (change.operation === 'upsert') return { operation: 'upsert', data: change.data };
  const { set, unset, inc, add, remove } = change.patch;
  const named = { data: set, unset, inc, add, remove };
  const parts = Object.entries(named).filter(([, part]) => Object.keys(part).length > 0);
  return { operation: 'patch', ...(Object.fromEntries(parts) as Omit<Body, 'operation'>) };
}

const BYTES_PER_CHANGE = 128;

function sizeOf(unit: Unit, outbox: readonly Mutation[]): PushLimits {
  const all = unit.flatMap((each) => {
    const parent = each.withParent && predecessor(outbox, each);
    return parent ? [parent, each] : [each];
  });
  const bytes = all.map(({ wire, change }) => changeBytes(wire ?? change));
  return { changes: all.length, bytes: bytes.reduce((sum, each) => sum + each, 0) };
}

/** As the server counts it. */
export function changeBytes(change: Change): number {
  return BYTES_PER_CHANGE + textBytes(JSON.stringify(bodyOf(change)));
}

/** Three bytes a unit, where half a surrogate pair has no bytes: the server refuses that anyway. */
function textBytes(text: string): number {
  return utf8Length(text) ?? text.length * 3;
}
