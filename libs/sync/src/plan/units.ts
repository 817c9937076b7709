import { conflictBody, rolledBack, standingOf, WAITING } from './decisions';
import { targetOf, type Decision, type PlanRequest, type PreparedChange } from './plan';
import type { Planning } from './planning';
import { decideOrReplay, keepReceipt } from './receipts';

/** Changes of a request that are decided as one, `end` not included. */
interface Unit {
  readonly start: number;
  readonly end: number;
  /** They stand or fall together. */
  readonly isWhole: boolean;
  /** The group that they are; undefined: all changes of a batch, or some that stand alone. */
  readonly group: string | undefined;
}

/** Decides on all changes of a request, one after another. It counts if nothing has to be asked first. */
export function decideAll(planning: Planning): Decision[] {
  const decisions: Decision[] = [];
  for (const unit of unitsOf(planning.request))
    for (const decision of unit.isWhole ? decideTogether(planning, unit) : decideEach(planning, unit))
      decisions.push(decision);
  return decisions;
}

function* unitsOf({ atomic, changes }: PlanRequest): Generator<Unit> {
  if (atomic === 'batch') {
    yield { start: 0, end: changes.length, isWhole: true, group: undefined };
    return;
  }
  for (let start = 0, end = 0; start < changes.length; start = end) {
    const group = changes[start]?.group;
    while (end < changes.length && changes[end]?.group === group) end++;
    yield { start, end, isWhole: group !== undefined, group };
  }
}

function decideEach(planning: Planning, unit: Unit): Decision[] {
  return inTurn(planning, unit).map((decision, at) =>
    isRefusal(decision) && decision.server_version === null
      ? withDocument(planning, changeAt(planning, unit, at), decision)
      : decision,
  );
}

/** All or none: where one is refused, nothing stays in the layer but the receipts of refusals. */
function decideTogether(planning: Planning, unit: Unit): Decision[] {
  const { request, layer: below } = planning;
  const isBatch = request.atomic === 'batch';
  const layer = isBatch ? below : below.layer();
  const inside = isBatch ? planning : { ...planning, layer };
  const repeats = new Set<Decision>();
  const decisions = inTurn(inside, unit, repeats);
  const falls = decisions.some(isRefusal) && !decisions.includes(WAITING);
  const all = falls ? rollBack(inside, unit, decisions, repeats) : decisions;
  if (!isBatch) below.absorb(layer);
  return all;
}

/** @param repeats is told the decisions that go back to what the unit itself has decided: they fall with it */
function inTurn(planning: Planning, unit: Unit, repeats?: Set<Decision>): Decision[] {
  const decisions: Decision[] = [];
  for (let at = 0; at < unit.end - unit.start; at++)
    decisions.push(decideOrReplay(planning, changeAt(planning, unit, at), unit.start + at, repeats));
  return decisions;
}

/**
 * Takes everything back. What was refused stays refused: sent again under new ids and taken, the changes must not take
 * effect a second time when the first request comes late.
 */
function rollBack(
  planning: Planning,
  unit: Unit,
  decisions: readonly Decision[],
  repeats: ReadonlySet<Decision>,
): Decision[] {
  const { layer, fallen, mutations } = planning;
  layer.rollBack();
  const undone = rolledBack(unit.group);
  return decisions.map((decision, at) => {
    const change = changeAt(planning, unit, at);
    const isUndone = !isRefusal(decision) && (!decision.replayed || repeats.has(decision));
    if (isUndone && change.mutation) mutations.leavesOut = true;
    if (!isUndone && !isRefusal(decision)) return decision;
    const key = targetOf(change)?.key;
    if (key !== undefined) fallen.add(key);
    // A repetition of what the unit itself has refused says the same as that, about the document as it stands now.
    const isRepeated = repeats.has(decision) && !isUndone;
    const { replayed } = decision;
    const told = isRepeated ? { ...decision, replayed: false } : decision;
    const refusal = withDocument(planning, change, isUndone ? undone : told);
    if (!isUndone && !replayed) keepReceipt(planning, change, refusal);
    return isRepeated ? { ...refusal, replayed } : refusal;
  });
}

/** A refusal with the document as it stands after the changes that were decided with it. */
function withDocument({ layer, request }: Planning, change: PreparedChange, refusal: Decision): Decision {
  const target = targetOf(change);
  // Of an id that is taken elsewhere nothing more is said (invariant 5).
  if (!target || refusal.code === 'id_unavailable') return refusal;
  const found = layer.document(target.key);
  const { conflict: _, server_version, replayed, ...rest } = refusal;
  // What stands for a tombstone that was removed stands for it still: nothing that was rolled back has made it.
  const isGone = !found && server_version === layer.head(request.scopeId).tombstoneFloor;
  const there = isGone ? layer.forgotten(request.scopeId, '') : found;
  const own = there !== 'foreign' && there?.scopeId === request.scopeId ? there : undefined;
  const decision = { ...rest, server_version, replayed };
  if (server_version === null) return { ...decision, standing: own ? standingOf(own) : null };
  if (replayed)
    return own?.version === server_version
      ? { ...decision, conflict: conflictBody(own, target.form) }
      : decision;
  return own
    ? { ...decision, server_version: own.version, conflict: conflictBody(own, target.form) }
    : { ...decision, server_version: null, standing: null };
}

function changeAt({ request }: Planning, { start }: Unit, at: number): PreparedChange {
  return request.changes[start + at] as PreparedChange;
}

function isRefusal({ status }: Decision): boolean {
  return status === 'rejected';
}
