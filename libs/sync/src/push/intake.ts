import {
  SyncError,
  type DocId,
  type ParsedChange,
  type PushChange,
  type Rejection,
} from 'nest-offline-sync-protocol';
import { Inject, Injectable } from '@nestjs/common';
import type { Prepared, SyncedCollection } from '../collections/collection';
import { CollectionRegistry } from '../collections/collection-registry';
import type { SyncIdentity } from '../identity/identity';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import { bodyHash, formerBodyHash, isFormerHash, isWithinDepth } from './body-hash';
import type { AppTime } from './app-time';
import { lateRejection, withTheirChildren, type Lateness } from './late-changes';
import type { CollectionAction } from '../collections/ports';
import type { Permissions } from './permissions';
import {
  documentKey,
  type DocumentTarget,
  type Mutation,
  type PreparedChange,
  type ReadyChange,
  type RefusedChange,
} from '../plan/plan';

/** A push's changes, prepared for the planner, and about how many bytes they have. */
export interface Intake {
  readonly changes: readonly PreparedChange[];
  readonly bytes: number;
  /** Set when the app's code was not done with all: with how many it was, and what was waited for. */
  readonly late?: Lateness & { readonly done: number };
}

/** What is made of a change's data once and needed several times. */
interface Known {
  /** The JSON of its data; undefined when it has none that could be stored. */
  readonly text: string | undefined;
  /** Undefined without an id, and for data that can never have been taken. */
  readonly mutation: Mutation | undefined;
}

/** Brings what a client sent to what the planner takes: authorized, checked, cast (invariant 10). */
@Injectable()
export class PushIntake {
  constructor(
    private readonly collections: CollectionRegistry,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {}

  /**
   * A bad change is only refused itself.
   *
   * @param time for the app's code: what is not done by then is refused with `preparation_timeout`
   * @throws SyncError `payload_too_large`, before any code of the app is asked
   */
  async prepareChanges(
    identity: SyncIdentity,
    parsed: readonly ParsedChange[],
    permissions: Permissions,
    time: AppTime,
  ): Promise<Intake> {
    const texts = parsed.map((entry) => (entry.ok ? jsonText(entry.change) : undefined));
    const bytes = parsed.reduce((sum, entry, index) => sum + bytesOf(entry, texts[index]), 0);
    const { maxPushBytes } = this.settings.limits;
    if (bytes > maxPushBytes)
      throw new SyncError(
        'payload_too_large',
        `The push has ${bytes} bytes, more than the limit of ${maxPushBytes}; send its changes in several pushes.`,
        { limit: maxPushBytes },
      );

    const waitsFor: (() => string)[] = [];
    const made = await time.each(parsed, (entry, index) => {
      const one = this.one(identity, entry, texts[index], permissions, (what) => (waitsFor[index] = what));
      return one instanceof Promise
        ? one.then((change) => this.placed(identity, entry, change))
        : this.placed(identity, entry, one);
    });
    const firstLate = made.indexOf(undefined);
    if (firstLate < 0) return { changes: made as PreparedChange[], bytes };
    const waitedFor = waitsFor[firstLate] ?? waitsFor.findLast(Boolean);
    const lateness = { limitMs: time.limitMs, waitedFor: waitedFor?.() ?? 'the code of the app' };
    return { ...this.withoutLate(identity, parsed, texts, made, lateness), bytes };
  }

  /** One change. At once where nobody has to be waited for: a promise for each would cost more than its check. */
  private one(
    identity: SyncIdentity,
    entry: ParsedChange,
    text: string | undefined,
    permissions: Permissions,
    waitsFor: (what: () => string) => void,
  ): PreparedChange | Promise<PreparedChange> {
    if (!entry.ok) return refused(entry, entry.rejection);
    const { change } = entry;
    const known = this.known(change, text);
    const { collection: name } = change;
    // A patch does no more than an upsert of the whole document could: who may the one may the other.
    const operation = change.operation === 'patch' ? 'upsert' : change.operation;
    const collection = this.collections.get(name);
    if (!collection) {
      return refused(change, UNKNOWN_COLLECTION, known.mutation);
    }
    if (!collection.livesIn(identity.scopeId)) return refused(change, wrongScope(collection), known.mutation);
    const answer = permissions.known(collection, operation);
    const go = (may: boolean): PreparedChange | Promise<PreparedChange> => {
      if (!may) return refused(change, forbidden(collection, operation), known.mutation);
      waitsFor(() => `${collection.slowStep() ?? 'the preparation'} of collection ${name}`);
      return prepared(identity, change, known, collection);
    };
    if (answer !== undefined) return go(answer);
    waitsFor(() => `the authorizer of collection ${name}`);
    return permissions.may(collection, operation).then(go);
  }

  /** With its group, and, where it is refused, the document that it names. */
  private placed(identity: SyncIdentity, entry: ParsedChange, made: PreparedChange): PreparedChange {
    const grouped = entry.group === undefined ? made : { ...made, group: entry.group };
    if (grouped.kind === 'ready') return grouped;
    const target = this.targetOf(identity, entry.ok ? entry.change : entry);
    return target ? { ...grouped, target } : grouped;
  }

  private targetOf(
    { scopeId }: SyncIdentity,
    { collection: name, doc_id }: { readonly collection?: string; readonly doc_id: DocId | null },
  ): DocumentTarget | undefined {
    const collection = name === undefined ? undefined : this.collections.get(name);
    const storedId = doc_id === null ? undefined : collection?.ids.toStored(scopeId, doc_id);
    if (!collection || storedId === undefined || !collection.livesIn(scopeId)) return undefined;
    const key = documentKey(collection.name, storedId, collection.ids.toWire(storedId));
    return { collection: collection.name, key, storedId, form: collection.rules.form };
  }

  private withoutLate(
    identity: SyncIdentity,
    parsed: readonly ParsedChange[],
    texts: readonly (string | undefined)[],
    made: readonly (PreparedChange | undefined)[],
    lateness: Lateness,
  ): Omit<Intake, 'bytes'> {
    const late = new Set([...made.keys()].filter((index) => made[index] === undefined));
    const all = withTheirChildren(late, parsed.length, (index) => {
      const entry = parsed[index];
      return entry?.ok ? JSON.stringify([entry.change.collection, entry.change.doc_id]) : undefined;
    });
    const rejection = lateRejection(lateness);
    const changes = parsed.map((entry, index) => {
      const done = made[index];
      if (done && (!entry.ok || !all.has(index))) return done;
      const late = entry.ok
        ? refused(entry.change, rejection, this.known(entry.change, texts[index]).mutation)
        : refused(entry, rejection);
      return this.placed(identity, entry, late);
    });
    return { changes, late: { ...lateness, done: parsed.length - late.size } };
  }

  private known(change: PushChange, text: string | undefined): Known {
    const { mutation_id: id, data } = change;
    // A patch has its values one level further down than the document has them.
    const maxDepth = this.settings.limits.maxDepth + (change.patch ? 1 : 0);
    if (id === null || text === undefined || !isWithinDepth(data, maxDepth))
      return { text, mutation: undefined };
    const hasFormerHash = (hash: string): boolean =>
      isFormerHash(hash) && hash === formerBodyHash(change, text);
    return { text, mutation: { id, hash: bodyHash(change, text), hasFormerHash } };
  }
}

function prepared(
  identity: SyncIdentity,
  change: PushChange,
  known: Known,
  collection: SyncedCollection,
): PreparedChange | Promise<PreparedChange> {
  const { doc_id, data, patch } = change;
  const storedId = collection.ids.toStored(identity.scopeId, doc_id);
  if (storedId === undefined) return refused(change, noId(collection), known.mutation);
  const then = (made: Prepared): PreparedChange =>
    made.ok
      ? ready(change, known, collection, storedId, made)
      : refused(change, made.rejection, known.mutation);
  if (data === null) return ready(change, known, collection, storedId, { document: null });
  if (patch) {
    const checked = collection.checkPatch(patch);
    return checked.ok
      ? ready(change, known, collection, storedId, { document: null, patch: checked.patch })
      : refused(change, checked.rejection, known.mutation);
  }
  const ids = { storedId, wireId: collection.ids.toWire(storedId) };
  const preparing = collection.prepare(identity, ids, data, change.parent_version === null);
  return preparing instanceof Promise ? preparing.then(then) : then(preparing);
}

function ready(
  change: PushChange,
  { text, mutation }: Known,
  { name, rules, ids }: SyncedCollection,
  storedId: unknown,
  { document, content, patch }: Pick<ReadyChange, 'document' | 'content' | 'patch'>,
): PreparedChange {
  const wireId = ids.toWire(storedId);
  return {
    kind: 'ready',
    collection: name,
    rules,
    operation: change.operation,
    key: documentKey(name, storedId, wireId),
    storedId,
    wireId,
    document,
    ...(content ? { content } : {}),
    ...(patch ? { patch } : {}),
    ...(change.operation !== 'upsert' || change.data === null
      ? {}
      : document === change.data
        ? { text }
        : { given: change.data }),
    parent: change.parent_version,
    hlc: change.hlc,
    ...(change.parent_mutation_id === undefined ? {} : { parentMutation: change.parent_mutation_id }),
    ...(change.return === 'document' ? { returns: true } : {}),
    mutation,
  };
}

/** @param mutation where an earlier try of it can have been taken */
function refused(
  {
    doc_id: wireId,
    mutation_id: mutationId,
  }: Pick<Extract<ParsedChange, { ok: false }>, 'doc_id' | 'mutation_id'>,
  rejection: Rejection,
  mutation?: Mutation,
): RefusedChange {
  return { kind: 'refused', wireId, mutationId, ...(mutation ? { mutation } : {}), rejection };
}

const UNKNOWN_COLLECTION: Rejection = {
  code: 'unknown_collection',
  message: 'This collection is not synced; see the collections option of the server.',
};

function wrongScope({ name }: SyncedCollection): Rejection {
  return { code: 'wrong_scope', message: `Collection ${name} does not live in scopes of this kind.` };
}

function forbidden({ name }: SyncedCollection, operation: CollectionAction): Rejection {
  return { code: 'forbidden', message: `You may not ${operation} in collection ${name}.` };
}

function noId({ name }: SyncedCollection): Rejection {
  return {
    code: 'invalid_doc_id',
    message: `doc_id is not of the type that collection ${name} has as its _id.`,
  };
}

/** Undefined for nesting without end: the check of the document refuses that one change by its path. */
function jsonText({ data }: PushChange): string | undefined {
  try {
    return JSON.stringify(data);
  } catch {
    return undefined;
  }
}

/** What a change's other fields take, whatever they hold. */
const FRAME_BYTES = 128;

function bytesOf(entry: ParsedChange, text: string | undefined): number {
  return entry.ok && text !== undefined ? Buffer.byteLength(text) + FRAME_BYTES : 0;
}
