import { Inject, Injectable } from '@nestjs/common';
import type { Prepared, StoredDocument, SyncedCollection } from '../collections/collection';
import type { Content } from '../plan/document-form';
import { CollectionRegistry } from '../collections/collection-registry';
import type { SyncIdentity } from '../identity/identity';
import { SyncError, type Rejection } from '../protocol/errors';
import type { ParsedChange, PushChange } from '../protocol/push';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import { bodyHash, isWithinDepth } from './body-hash';
import type { AppTime } from './app-time';
import { lateRejection, withTheirChildren, type Lateness } from './late-changes';
import type { CollectionAction } from '../collections/ports';
import { documentKey, type Mutation, type RequestChange } from '../plan/plan';

/** A push's changes, ready for the planner or refused, and about how many bytes they have. */
export interface Intake {
  readonly changes: readonly RequestChange[];
  readonly bytes: number;
  /** Set when the app's code was not done with all: with how many it was, and what was waited for. */
  readonly late?: Lateness & { readonly done: number };
}

/** A change of the right shape, with what is made of its data once and needed several times. */
interface Candidate {
  readonly change: PushChange;
  /** The JSON of its data; undefined when it has none that could be stored. */
  readonly text: string | undefined;
  /** Undefined without an id, and for data that can never have been taken. */
  readonly mutation: Mutation | undefined;
}

/** What the identity may do, asked once for a request, collection and action. */
export class Permissions {
  private readonly answers = new Map<string, boolean>();
  private readonly asked = new Map<string, Promise<boolean>>();

  constructor(private readonly identity: SyncIdentity) {}

  /** The answer, where it was asked for before. */
  known({ name }: SyncedCollection, action: CollectionAction): boolean | undefined {
    return this.answers.get(keyOf(name, action));
  }

  async may(collection: SyncedCollection, action: CollectionAction): Promise<boolean> {
    const key = keyOf(collection.name, action);
    const asking = this.asked.get(key) ?? collection.authorize(this.identity, action);
    this.asked.set(key, asking);
    const answer = await asking;
    this.answers.set(key, answer);
    return answer;
  }
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
  async take(
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
        `The push has ${String(bytes)} bytes, more than the limit of ${String(maxPushBytes)}; send its changes in several pushes.`,
      );

    const waitsFor: (() => string)[] = [];
    const made = await time.each(parsed, (entry, index) =>
      this.one(identity, entry, texts[index], permissions, (what) => (waitsFor[index] = what)),
    );
    const firstLate = made.indexOf(undefined);
    if (firstLate < 0) return { changes: made as RequestChange[], bytes };
    const waitedFor = waitsFor[firstLate] ?? waitsFor.findLast(Boolean);
    const lateness = { limitMs: time.limitMs, waitedFor: waitedFor?.() ?? 'the code of the app' };
    return { ...this.withoutLate(parsed, texts, made, lateness), bytes };
  }

  /** One change. At once where nobody has to be waited for: a promise for each would cost more than its check. */
  private one(
    identity: SyncIdentity,
    entry: ParsedChange,
    text: string | undefined,
    permissions: Permissions,
    waitsFor: (what: () => string) => void,
  ): RequestChange | Promise<RequestChange> {
    if (!entry.ok) {
      const { rejection, doc_id: wireId, mutation_id: mutationId } = entry;
      return { kind: 'refused', wireId, mutationId, rejection };
    }
    const candidate = this.candidate(entry.change, text);
    const { collection: name, operation } = entry.change;
    const collection = this.collections.get(name);
    if (!collection) {
      return refused(candidate, UNKNOWN_COLLECTION);
    }
    const known = permissions.known(collection, operation);
    const go = (may: boolean): RequestChange | Promise<RequestChange> => {
      if (!may) return refused(candidate, forbidden(collection, operation));
      waitsFor(() => `${collection.slowStep() ?? 'the preparation'} of collection ${name}`);
      return prepared(identity, candidate, collection);
    };
    if (known !== undefined) return go(known);
    waitsFor(() => `the authorizer of collection ${name}`);
    return permissions.may(collection, operation).then(go);
  }

  private withoutLate(
    parsed: readonly ParsedChange[],
    texts: readonly (string | undefined)[],
    made: readonly (RequestChange | undefined)[],
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
      if (entry.ok) return refused(this.candidate(entry.change, texts[index]), rejection);
      return { kind: 'refused', wireId: entry.doc_id, mutationId: entry.mutation_id, rejection } as const;
    });
    return { changes, late: { ...lateness, done: parsed.length - late.size } };
  }

  private candidate(change: PushChange, text: string | undefined): Candidate {
    const { mutation_id: id, data } = change;
    const isKnown = id !== null && text !== undefined && isWithinDepth(data, this.settings.limits.maxDepth);
    return { change, text, mutation: isKnown ? { id, hash: bodyHash(change, text) } : undefined };
  }
}

function prepared(
  identity: SyncIdentity,
  candidate: Candidate,
  collection: SyncedCollection,
): RequestChange | Promise<RequestChange> {
  const { doc_id, data } = candidate.change;
  const storedId = collection.ids.toStored(identity.scopeId, doc_id);
  if (storedId === undefined) return refused(candidate, noId(collection));
  const then = (made: Prepared): RequestChange =>
    made.ok ? ready(candidate, collection, storedId, made) : refused(candidate, made.rejection);
  if (data === null) return ready(candidate, collection, storedId, { document: null });
  const ids = { storedId, wireId: collection.ids.toWire(storedId) };
  const preparing = collection.prepare(identity, ids, data, candidate.change.parent_version === null);
  return preparing instanceof Promise ? preparing.then(then) : then(preparing);
}

function ready(
  { change, text, mutation }: Candidate,
  { name, rules, ids }: SyncedCollection,
  storedId: unknown,
  { document, content }: { readonly document: StoredDocument | null; readonly content?: Content },
): RequestChange {
  const wireId = ids.toWire(storedId);
  return {
    kind: 'ready',
    change: {
      collection: name,
      rules,
      operation: change.operation,
      key: documentKey(name, storedId, wireId),
      storedId,
      wireId,
      document,
      ...(content ? { content } : {}),
      text: document === change.data ? text : undefined,
      parent: change.parent_version,
      hlc: change.hlc,
      mutation,
    },
  };
}

function refused({ change, mutation }: Candidate, rejection: Rejection): RequestChange {
  const { doc_id: wireId, mutation_id: mutationId } = change;
  return { kind: 'refused', wireId, mutationId, ...(mutation ? { mutation } : {}), rejection };
}

const UNKNOWN_COLLECTION: Rejection = {
  code: 'unknown_collection',
  message: 'This collection is not synced; see the collections option of the server.',
};

function forbidden({ name }: SyncedCollection, operation: PushChange['operation']): Rejection {
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

/** What a change's fields take beside its data, whatever they hold. */
const FRAME_BYTES = 128;

function bytesOf(entry: ParsedChange, text: string | undefined): number {
  return entry.ok && text !== undefined ? Buffer.byteLength(text) + FRAME_BYTES : 0;
}

function keyOf(collection: string, action: CollectionAction): string {
  return `${action} ${collection}`;
}
