import { Inject, Injectable } from '@nestjs/common';
import type { StoredDocument, SyncedCollection } from '../collections/collection';
import type { Content } from '../collections/document-form';
import { CollectionRegistry } from '../collections/collection-registry.service';
import type { SyncIdentity } from '../identity/identity';
import { SyncError, type Rejection } from '../protocol/errors';
import type { ParsedChange, PushChange } from '../protocol/push';
import type { SyncSettings } from '../sync.settings';
import { SYNC_SETTINGS } from '../sync.tokens';
import { bodyHash, isWithinDepth } from './body-hash';
import type { Permissions } from './permissions';
import { documentKey, type Mutation, type RequestChange } from './plan';

/** A push's changes, ready for the planner or refused, and about how many bytes they have. */
export interface Intake {
  readonly changes: readonly RequestChange[];
  readonly bytes: number;
}

/** A change of the right shape, with what is made of its data once and needed several times. */
interface Candidate {
  readonly change: PushChange;
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
   * @throws SyncError `payload_too_large`, before any code of the app is asked
   */
  async take(
    identity: SyncIdentity,
    parsed: readonly ParsedChange[],
    permissions: Permissions,
  ): Promise<Intake> {
    const texts = parsed.map((entry) => (entry.ok ? jsonText(entry.change) : undefined));
    const bytes = parsed.reduce((sum, entry, index) => sum + bytesOf(entry, texts[index]), 0);
    const { maxPushBytes } = this.settings.limits;
    if (bytes > maxPushBytes)
      throw new SyncError(
        'payload_too_large',
        `The push has ${String(bytes)} bytes, more than the limit of ${String(maxPushBytes)}; send its changes in several pushes.`,
      );

    const changes: RequestChange[] = [];
    for (const [index, entry] of parsed.entries()) {
      if (!entry.ok) {
        const { rejection, doc_id: wireId, mutation_id: mutationId } = entry;
        changes.push({ kind: 'refused', wireId, mutationId, rejection });
        continue;
      }
      const candidate = this.candidate(entry.change, texts[index]);
      const { collection: name, operation, doc_id, data } = entry.change;
      const collection = this.collections.get(name);
      if (!collection) {
        changes.push(refused(candidate, UNKNOWN_COLLECTION));
        continue;
      }
      // Only what others have to say is waited for: a promise for each change would cost more than its check.
      const may = permissions.known(collection, operation) ?? (await permissions.may(collection, operation));
      const storedId = may ? collection.ids.toStored(identity.scopeId, doc_id) : undefined;
      if (storedId === undefined) {
        changes.push(refused(candidate, may ? noId(collection) : forbidden(collection, operation)));
        continue;
      }
      const wireId = collection.ids.toWire(storedId);
      const expectsNew = entry.change.parent_version === null;
      const preparing =
        data === null ? NOTHING : collection.prepare(identity, { storedId, wireId }, data, expectsNew);
      const prepared = preparing instanceof Promise ? await preparing : preparing;
      changes.push(
        prepared.ok
          ? ready(candidate, collection, storedId, prepared)
          : refused(candidate, prepared.rejection),
      );
    }
    return { changes, bytes };
  }

  private candidate(change: PushChange, text: string | undefined): Candidate {
    const { mutation_id: id, data } = change;
    const isKnown = id !== null && text !== undefined && isWithinDepth(data, this.settings.limits.maxDepth);
    return { change, text, mutation: isKnown ? { id, hash: bodyHash(change, text) } : undefined };
  }
}

const NOTHING = { ok: true, document: null } as const;

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
