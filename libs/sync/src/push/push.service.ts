import { Inject, Injectable } from '@nestjs/common';
import { CollectionRegistry } from '../collections/collection-registry.service';
import type { SyncedCollection } from '../collections/collection';
import type { CollectionAction } from '../collections/ports';
import type { SyncIdentity } from '../identity/identity';
import { SyncMetrics } from '../metrics/metrics';
import { SyncError, type Rejection } from '../protocol/errors';
import {
  parsePushRequest,
  type ParsedChange,
  type PushChange,
  type PushResponse,
  type PushResult,
} from '../protocol/push';
import type { SyncSettings } from '../sync.settings';
import { SYNC_METRICS, SYNC_SETTINGS } from '../sync.tokens';
import { bodyHash, isWithinDepth } from './body-hash';
import {
  documentKey,
  withAnswer,
  type Mutation,
  type PlannedAnswer,
  type PlanRequest,
  type RequestChange,
} from './plan';
import { PushQueue } from './push-queue.service';
import { MAX_TRIES, MOVES_TOO_FAST, ResolverService } from './resolver.service';

/** Takes a client's changes: checks them, waits for their commit, answers each (invariants 1, 4, 10). */
@Injectable()
export class PushService {
  constructor(
    private readonly collections: CollectionRegistry,
    private readonly queue: PushQueue,
    private readonly resolvers: ResolverService,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_METRICS) private readonly metrics: SyncMetrics,
  ) {}

  /**
   * @param body a push request as it travelled
   * @throws SyncError when the request as a whole is refused; a bad change only gets a rejection of its own
   */
  async push(identity: SyncIdentity, body: unknown): Promise<PushResponse> {
    const started = performance.now();
    let changes = 0;
    try {
      const { limits, batchAtomic, retryDeadlineMs } = this.settings;
      const parsed = parsePushRequest(body, limits.maxChanges);
      changes = parsed.changes.length;
      const bytes = parsed.changes.reduce((sum, entry) => sum + (entry.ok ? jsonBytes(entry.change) : 0), 0);
      if (bytes > limits.maxPushBytes)
        throw new SyncError(
          'payload_too_large',
          `The push has ${String(bytes)} bytes, more than the limit of ${String(limits.maxPushBytes)}; send its changes in several pushes.`,
        );
      const permissions = new Permissions(identity);
      const request: PlanRequest = {
        scopeId: identity.scopeId,
        actorId: identity.actorId,
        clientId: parsed.clientId,
        atomic: parsed.atomic ?? (batchAtomic ? 'batch' : 'mutation'),
        changes: await this.prepareAll(identity, parsed.changes, permissions),
      };
      const answers = await this.commit(identity, request, bytes, started + retryDeadlineMs);
      const results: PushResult[] = [];
      for (const answer of answers) results.push(await this.result(answer, permissions));
      const success = results.every((result) => result.status !== 'rejected');
      this.metrics.push(success ? 'success' : 'failure', changes, (performance.now() - started) / 1000);
      return { results };
    } catch (error) {
      this.metrics.push('failure', changes, (performance.now() - started) / 1000);
      throw error;
    }
  }

  private async prepareAll(
    identity: SyncIdentity,
    parsed: readonly ParsedChange[],
    permissions: Permissions,
  ): Promise<RequestChange[]> {
    const changes: RequestChange[] = [];
    for (const entry of parsed) changes.push(await this.prepare(identity, entry, permissions));
    return changes;
  }

  private async prepare(
    identity: SyncIdentity,
    parsed: ParsedChange,
    permissions: Permissions,
  ): Promise<RequestChange> {
    if (!parsed.ok) {
      const { rejection, doc_id: wireId, mutation_id: mutationId } = parsed;
      return { kind: 'refused', wireId, mutationId, rejection };
    }
    const { change } = parsed;
    const mutation = this.mutation(change);
    const refuse = (rejection: Rejection): RequestChange => ({
      kind: 'refused',
      wireId: change.doc_id,
      mutationId: change.mutation_id,
      ...(mutation ? { mutation } : {}),
      rejection,
    });

    const collection = this.collections.get(change.collection);
    if (!collection)
      return refuse({
        code: 'unknown_collection',
        message: 'This collection is not synced; see the collections option of the server.',
      });
    if (!(await permissions.may(collection, change.operation)))
      return refuse({
        code: 'forbidden',
        message: `You may not ${change.operation} in collection ${collection.name}.`,
      });
    const storedId = collection.ids.toStored(identity.scopeId, change.doc_id);
    if (storedId === undefined)
      return refuse({
        code: 'invalid_doc_id',
        message: `doc_id is not of the type that collection ${collection.name} has as its _id.`,
      });
    const prepared =
      change.data === null ? undefined : await collection.prepare(identity, change.doc_id, change.data);
    if (prepared && !prepared.ok) return refuse(prepared.rejection);
    const wireId = collection.ids.toWire(storedId);
    return {
      kind: 'ready',
      change: {
        collection: collection.name,
        rules: collection.rules,
        operation: change.operation,
        key: documentKey(collection.name, storedId, wireId),
        storedId,
        wireId,
        document: prepared?.document ?? null,
        parent: change.parent_version,
        hlc: change.hlc,
        ...(mutation ? { mutation } : {}),
      },
    };
  }

  /** Undefined also for data that can never have been taken: it is nested too deeply to be hashed. */
  private mutation(change: PushChange): Mutation | undefined {
    if (change.mutation_id === null || !isWithinDepth(change.data, this.settings.limits.maxDepth))
      return undefined;
    return { id: change.mutation_id, hash: bodyHash(change) };
  }

  /** Waits for the commit; asks the app's resolvers between tries, outside of any transaction. */
  private async commit(
    identity: SyncIdentity,
    first: PlanRequest,
    bytes: number,
    deadline: number,
  ): Promise<readonly PlannedAnswer[]> {
    let request = first;
    const tries = new Map<number, number>();
    for (;;) {
      const outcome = await this.queue.submit(request, bytes, deadline);
      if (outcome.kind === 'answered') return outcome.answers;
      for (const need of outcome.needs) {
        const count = (tries.get(need.index) ?? 0) + 1;
        tries.set(need.index, count);
        request =
          count > MAX_TRIES
            ? withAnswer(request, need.index, { verdict: MOVES_TOO_FAST })
            : withAnswer(request, need.index, {
                resolution: await this.resolvers.ask(identity, need, deadline),
              });
      }
    }
  }

  private async result(answer: PlannedAnswer, permissions: Permissions): Promise<PushResult> {
    const { wireId, status, new_version, server_version, code, error, mutationId, conflict } = answer;
    const collection = answer.collection === null ? undefined : this.collections.get(answer.collection);
    if (collection && conflict && !answer.replayed) this.metrics.conflict(collection.name);
    const readable =
      conflict !== undefined && collection !== undefined && (await permissions.may(collection, 'read'));
    return {
      doc_id: wireId,
      status,
      new_version,
      server_version,
      code,
      error,
      ...(readable ? { server_document: conflict } : {}),
      ...(mutationId === null ? {} : { mutation_id: mutationId }),
      ...(answer.replayed ? { replayed: true } : {}),
    };
  }
}

/** Nesting without end cannot be written as JSON; the check of the document refuses that one change by its path. */
function jsonBytes(change: PushChange): number {
  try {
    return Buffer.byteLength(JSON.stringify(change));
  } catch {
    return 0;
  }
}

/** What the identity may do, asked once for a request, collection and action. */
class Permissions {
  private readonly known = new Map<string, Promise<boolean>>();

  constructor(private readonly identity: SyncIdentity) {}

  may(collection: SyncedCollection, action: CollectionAction): Promise<boolean> {
    const key = `${action} ${collection.name}`;
    let answer = this.known.get(key);
    if (!answer) this.known.set(key, (answer = collection.authorize(this.identity, action)));
    return answer;
  }
}
