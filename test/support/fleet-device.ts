import type { Atomicity, JsonObject, LogChange, Operation, PatchBody } from 'nest-offline-sync-protocol';
import {
  CONFLICT_STRATEGIES,
  DELETE_UPDATE_POLICIES,
  type CollectionRules,
} from '../../libs/sync/src/plan/conflict';
import { documentKey, type Decision, type PlanRequest } from '../../libs/sync/src/plan/plan';

/** Every strategy with every delete policy, by the collection's name. */
export const FLEET_RULES: ReadonlyMap<string, CollectionRules> = new Map(
  [...CONFLICT_STRATEGIES, 'custom' as const].flatMap((strategy) =>
    DELETE_UPDATE_POLICIES.map((deleteUpdatePolicy): [string, CollectionRules] => [
      `${strategy} ${deleteUpdatePolicy}`,
      { strategy, deleteUpdatePolicy },
    ]),
  ),
);

export interface DocumentName {
  readonly collection: string;
  readonly id: string;
}

/**
 * What an edit does to the document that the device sees: sets a field, takes one away, or deletes all of it. A patch sets or
 * takes away the field, adds to `n`, or both.
 */
export interface Edit {
  readonly operation: Operation;
  readonly adds?: 'too' | 'only' | undefined;
  readonly field: string;
  readonly value: number | null;
  readonly hlc: string | null;
  /** It names the device's own last mutation of the document. */
  readonly follows: boolean;
}

export interface LocalDocument {
  readonly version: string;
  readonly data: JsonObject | null;
}

/** A change that waits in a device. Once it was sent, it is sent again in the same words. */
interface Outgoing extends DocumentName {
  mutation: string;
  readonly operation: Operation;
  readonly data: JsonObject | null;
  readonly patch?: PatchBody;
  hlc: string | null;
  parent: string | null;
  parentMutation: string | undefined;
  sent: boolean;
  /** How often it was stamped, or found a parent, again. */
  again: number;
}

export interface Portion {
  readonly skip: number;
  readonly take: number;
  readonly atomic: Atomicity;
  /** The server refuses this one by now: a right was withdrawn, say. */
  readonly refused: number | null;
  /** This one is in the push a second time, at its end. */
  readonly doubled: number | null;
  /** How many changes a group has; 1: none is in a group. */
  readonly grouped: number;
}

/** An offline client: a local copy that only pulls change, pending edits, and what answers have reported in addition. */
export class Device {
  cursor: string | undefined;
  /** Whether it may use its scope at the moment: what it sends is refused as a whole otherwise, and it reads nothing. */
  isMember = true;
  readonly local = new Map<string, LocalDocument>();
  /** What pushes were answered, until a pull has brought it. */
  readonly told = new Map<string, LocalDocument>();
  private queue: Outgoing[] = [];
  private count = 0;
  /** The last mutation of each document. */
  private readonly last = new Map<string, string>();
  /** Ids that a patch has had, and those that a child has named: what a child of a patch becomes is not the model's to say. */
  private readonly ofPatches = new Set<string>();
  private readonly followed = new Set<string>();

  constructor(
    readonly scope: string,
    readonly client: string,
    /** How far its clock is off. Milliseconds. */
    readonly skewMs: number,
  ) {}

  get waiting(): number {
    return this.queue.length;
  }

  /** @param reuse the number of an earlier mutation whose id is taken again, by mistake */
  edit(name: DocumentName, edit: Edit, reuse: number | null): void {
    const key = keyOf(name);
    const seen = this.seen(key);
    const before = this.queue.findLast((each) => keyOf(each) === key)?.data ?? seen?.data ?? {};
    const patch = edit.operation === 'patch' ? patchOf(edit) : undefined;
    const mutation = this.idFor(reuse, patch !== undefined);
    const last = this.last.get(key);
    const follows = edit.follows && !patch && last !== undefined && !this.ofPatches.has(last);
    if (follows) this.followed.add(last);
    if (patch) this.ofPatches.add(mutation);
    const { [edit.field]: was, ...rest } = before;
    const value = edit.adds === 'only' && patch ? was : edit.value;
    const data: JsonObject = {
      ...rest,
      owner: `owned by ${this.scope}`,
      ...(value === null || value === undefined ? {} : { [edit.field]: value }),
      ...(patch?.inc['n'] === undefined ? {} : { n: Number(rest['n'] ?? 0) + patch.inc['n'] }),
    };
    this.queue.push({
      ...name,
      mutation,
      operation: edit.operation,
      data: edit.operation === 'delete' ? null : data,
      ...(patch ? { patch } : {}),
      hlc: edit.hlc,
      parent: seen?.version ?? null,
      // Children of patches are told apart by what their receipts keep: see parent-mutations.e2e.ts.
      parentMutation: follows ? last : undefined,
      sent: false,
      again: 0,
    });
    if (patch) this.last.delete(key);
    else this.last.set(key, mutation);
  }

  private idFor(reuse: number | null, isPatch: boolean): string {
    const reused = reuse !== null && this.count > 0 ? `m${String(reuse % this.count)}` : undefined;
    const isFree = reused !== undefined && !(isPatch && this.followed.has(reused));
    return isFree ? reused : `m${String(this.count++)}`;
  }

  request({ skip, take, atomic, refused, doubled, grouped }: Portion): PlanRequest | undefined {
    const portion = this.queue.slice(skip, skip + take);
    if (portion.length === 0) return undefined;
    for (const each of portion) each.sent = true;
    const again = doubled === null ? undefined : portion[doubled];
    if (again) portion.push(again);
    const { scope: scopeId, client: clientId } = this;
    return {
      scopeId,
      actorId: `${scopeId} ${clientId}`,
      clientId,
      atomic,
      changes: portion.map((each, index) => {
        const { mutation: id, operation, data, patch, parent, parentMutation, hlc } = each;
        const mutation = { id, hash: hashOf(each) };
        const group = grouped === 1 ? {} : { group: `g${String(Math.floor(index / grouped))}` };
        if (index === refused)
          return {
            kind: 'refused',
            ...group,
            target: { collection: each.collection, key: keyOf(each), storedId: each.id, form: undefined },
            wireId: each.id,
            mutationId: id,
            mutation,
            rejection: { code: 'forbidden', message: '' },
          };
        return {
          kind: 'ready',
          ...group,
          collection: each.collection,
          rules: FLEET_RULES.get(each.collection)!,
          operation,
          key: keyOf(each),
          storedId: each.id,
          wireId: each.id,
          document: patch ? null : data,
          ...(patch ? { patch } : {}),
          parent,
          ...(parentMutation === undefined ? {} : { parentMutation }),
          hlc,
          mutation,
        };
      }),
    };
  }

  /**
   * The answers have come. What was only rolled back stays in the queue, and so does what can be stamped again under its
   * id; one that was refused in what it belongs to may be tried again under a new id.
   */
  answered(request: PlanRequest, answers: readonly Decision[]): void {
    answers.forEach((answer, index) => {
      if (answer.code === 'batch_rolled_back') return;
      if (this.goesAgain(request.changes[index]!, answer)) return;
      const entry = request.changes[index]!;
      const hash = entry.mutation?.hash;
      const at = this.queue.findIndex((each) => each.sent && hashOf(each) === hash);
      if (at >= 0) this.queue.splice(at, 1);
      if (entry.kind === 'refused') return;
      const { key, document, patch } = entry;
      if (answer.conflict) this.learn(key, answer.conflict);
      // What a patch has left is not in its answer: others may have written other fields.
      else if (!patch && answer.status === 'accepted' && answer.new_version !== null)
        this.learn(key, { version: answer.new_version, data: document as JsonObject | null });
    });
  }

  /** Entries of a page, put into the local copy as they come. */
  pulled(changes: readonly LogChange[], cursor: string): void {
    for (const { collection, doc_id: id, version, data } of changes) {
      const key = documentKey(collection, id, id);
      this.local.set(key, { version, data });
      const told = this.told.get(key);
      if (told?.version === version && !sameData(told.data, data))
        throw new Error('an answer and the log say different things of one version');
      if (told && told.version <= version) this.told.delete(key);
    }
    this.cursor = cursor;
  }

  /** Everything is loaded again. Unsent changes stay. */
  loaded(documents: ReadonlyMap<string, LocalDocument>, cursor: string): void {
    this.local.clear();
    this.told.clear();
    for (const [key, document] of documents) this.local.set(key, document);
    this.cursor = cursor;
  }

  /** It may not use its scope any more: what it holds of it goes, and what was not sent stays. */
  lost(): void {
    this.isMember = false;
    this.local.clear();
    this.told.clear();
    this.cursor = undefined;
  }

  private goesAgain({ mutation }: PlanRequest['changes'][number], { code }: Decision): boolean {
    const waiting = this.queue.find((each) => each.sent && hashOf(each) === mutation?.hash);
    if (!waiting || waiting.again === 2) return false;
    const isStamp = code === 'clock_drift' || code === 'parent_unknown';
    const isOther = code === 'conflict_stale' || code === 'id_unavailable';
    if (!isStamp && code !== 'parent_refused' && !isOther) return false;
    waiting.again += 1;
    waiting.hlc = null;
    waiting.parent = this.seen(keyOf(waiting))?.version ?? null;
    // Given up where the parent is refused for good.
    if (waiting.again === 2) waiting.parentMutation = undefined;
    if (isOther) {
      waiting.mutation = `m${String(this.count++)}`;
      waiting.sent = false;
    }
    return true;
  }

  private seen(key: string): LocalDocument | undefined {
    const [local, told] = [this.local.get(key), this.told.get(key)];
    return local && told ? (told.version > local.version ? told : local) : (local ?? told);
  }

  private learn(key: string, { version, data }: LocalDocument): void {
    if ((this.seen(key)?.version ?? '') >= version) return;
    this.told.set(key, { version, data });
    // What was not sent yet is an edit of what the device sees now.
    for (const each of this.queue) if (!each.sent && keyOf(each) === key) each.parent = version;
  }
}

export function keyOf({ collection, id }: DocumentName): string {
  return documentKey(collection, id, id);
}

/** The field, in what sets, takes away or adds. */
function patchOf({ field, value, adds }: Edit): PatchBody {
  const sets = adds !== 'only';
  return {
    set: sets && value !== null ? { [field]: value } : {},
    unset: sets && value === null ? [field] : [],
    inc: adds ? { n: (value ?? 0) + 1 } : {},
    add: {},
    remove: {},
  };
}

function hashOf(each: Outgoing): string {
  const { operation, patch, data, mutation } = each;
  return JSON.stringify([mutation, keyOf(each), operation, patch ?? data]);
}

function sameData(a: JsonObject | null, b: JsonObject | null): boolean {
  const text = (data: JsonObject): string => JSON.stringify(Object.entries(data).sort());
  return a && b ? text(a) === text(b) : a === b;
}
