import type { DocId, JsonObject } from 'nest-offline-sync-protocol';
import type { BaseRow } from '../storage.ts';
import { adds, joined, patched, sameJson, touches, type Patched } from './fields.ts';
import type { Change, Mutation } from './mutation.ts';

/** An edit as the user made it, what is needed to write it down, and what is known of the document. */
export interface Edit {
  readonly collection: string;
  readonly doc: DocId;
  /** `create` needs that there is no document, `patch` and `delete` that there is one. */
  readonly kind: 'create' | 'upsert' | 'patch' | 'delete';
  readonly change: Change;
  readonly id: string;
  readonly seq: number;
  readonly editedAt: number;
  readonly seen: string | null;
  readonly tx?: string | undefined;
}

export type Edited =
  | {
      readonly ok: true;
      readonly put?: Mutation;
      readonly drop?: Mutation;
      /** The mutation that the edit became part of; undefined: nothing is left of it, since it took back what was never sent. */
      readonly mutation: string | undefined;
      readonly after: JsonObject | null;
    }
  | { readonly ok: false; readonly problem: 'exists' | 'missing' }
  | { readonly ok: false; readonly problem: 'mismatch'; readonly path: string; readonly text: string };

/** What the user sees of a document. */
export function shown(chain: readonly Mutation[], base: BaseRow | undefined): JsonObject | null {
  const last = chain.at(-1);
  return last ? last.after : (base?.data ?? null);
}

/**
 * R1, the pinned chain. An edit is made on what the user sees, the after-image of the last unfinished mutation, and has the parent
 * version of the chain: what others write meanwhile waits in the base, unseen.
 *
 * @param coalesce whether the edit may become part of the one before, if that was never sent
 */
export function edit(
  chain: readonly Mutation[],
  base: BaseRow | undefined,
  made: Edit,
  coalesce: boolean,
): Edited {
  const before = shown(chain, base);
  if (made.kind === 'create' && before) return { ok: false, problem: 'exists' };
  if ((made.kind === 'patch' || made.kind === 'delete') && !before) return { ok: false, problem: 'missing' };
  const laid = laidOn(before, made.change);
  if (!laid.ok) return { ok: false, problem: 'mismatch', path: laid.path, text: laid.problem };
  const last = chain.at(-1);
  const { collection, doc, id, seq, editedAt, seen, tx, change } = made;
  if (last && mayGrow(last, tx, coalesce)) {
    if (change.operation === 'delete' && last.before === null)
      return { ok: true, drop: last, mutation: undefined, after: shown(chain.slice(0, -1), base) };
    const together = grown(last, change, laid.data);
    if (together) {
      const put = { ...last, change: together, after: laid.data, editedAt, seen };
      return { ok: true, put, mutation: last.id, after: laid.data };
    }
  }
  const parent = last ? last.parent : (base?.version ?? null);
  const put: Mutation = {
    seq,
    id,
    collection,
    doc,
    change,
    before,
    after: laid.data,
    parent,
    editedAt,
    seen,
    ...(tx === undefined ? {} : { tx }),
    state: 'waiting',
    returns: 0,
  };
  return { ok: true, put, mutation: id, after: laid.data };
}

function laidOn(
  before: JsonObject | null,
  change: Change,
): Patched | { readonly ok: true; readonly data: null } {
  if (change.operation === 'delete') return { ok: true, data: null };
  return change.operation === 'upsert'
    ? { ok: true, data: change.data }
    : patched(before ?? {}, change.patch);
}

function mayGrow(last: Mutation, tx: string | undefined, coalesce: boolean): boolean {
  const isFresh = last.state === 'waiting' && last.returns === 0 && !last.orphan && !last.wire;
  return isFresh && last.tx === tx && (coalesce || tx !== undefined);
}

/** One change for two edits of which the first was never sent; undefined where they stay two. */
function grown(last: Mutation, next: Change, after: JsonObject | null): Change | undefined {
  const first = last.change;
  if (first.operation === 'patch') {
    if (next.operation !== 'patch') return adds(first.patch) ? undefined : next;
    const patch = joined(first.patch, next.patch);
    return patch && { operation: 'patch', patch };
  }
  if (next.operation !== 'patch') return next;
  // What adds takes effect whatever others do; only in a document that nobody else has yet it is the same as a value.
  if (after === null || (adds(next.patch) && last.before !== null)) return undefined;
  return { operation: 'upsert', data: after };
}

/** What decides about a conflict on the server: a strategy of docs/protocol.md, or `custom`; undefined: not known. */
export type Strategy = string | undefined;

export interface Ground {
  readonly base: BaseRow | undefined;
  /** Everything up to here is in the base. Undefined while a load is on its way. */
  readonly cursor: string | undefined;
  readonly strategy: Strategy;
}

/** What is left of a chain. */
export interface Settled {
  readonly chain: readonly Mutation[];
  /** Those that have ended. */
  readonly gone: readonly Mutation[];
}

/**
 * R3 and R2: takes away what is finished, and makes a last edit that was never sent one of the base again where that is safe. A
 * finished mutation stays while the next one is not answered, because the server may ask for it again.
 */
export function settled(chain: readonly Mutation[], ground: Ground): Settled {
  const open = chain.findIndex((each) => !isFinished(each, ground));
  if (open < 0) return { chain: [], gone: chain };
  const rest = chain.slice(open);
  const [first] = rest as [Mutation];
  if (first.state === 'answered') return { chain: rest, gone: chain.slice(0, open) };
  if (open > 0 && rest.length === 1) {
    const again = repinned(first, ground);
    if (again) return { chain: [again], gone: chain.slice(0, open) };
  }
  const kept = Math.max(0, open - 1);
  return { chain: chain.slice(kept), gone: chain.slice(0, kept) };
}

/** R3: answered, and the base holds what became of it, or is past it and has no such document. */
export function isFinished({ state, answer, doubtful }: Mutation, { base, cursor }: Ground): boolean {
  if (state !== 'answered' || !answer || doubtful) return false;
  if (base) return base.version !== null && base.version >= answer.version;
  return cursor !== undefined && cursor >= answer.version;
}

/**
 * R2: an edit that was never sent, made on the base instead of on its chain, if what others have changed since is apart from what
 * it changes. Where a conflict is refused or given to a resolver of the app, only if others have changed nothing.
 */
export function repinned(mutation: Mutation, { base, strategy }: Ground): Mutation | undefined {
  if (mutation.state !== 'waiting' || mutation.tx !== undefined) return undefined;
  const now = base?.data ?? null;
  const parent = base?.version ?? null;
  const { before, change } = mutation;
  if (sameJson(before, now)) return { ...mutation, parent };
  if (change.operation !== 'patch' || !before || !now || !isByField(strategy)) return undefined;
  if (touches(change.patch, before, now)) return undefined;
  const laid = patched(now, change.patch);
  return laid.ok ? { ...mutation, parent, before: now, after: laid.data } : undefined;
}

function isByField(strategy: Strategy): boolean {
  return strategy === 'last-writer-wins' || strategy === 'merge' || strategy === 'client-wins';
}
