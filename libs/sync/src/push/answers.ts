import { Inject, Injectable } from '@nestjs/common';
import type { FirstAnswer, PushResult, ServerDocument } from 'nest-offline-sync-protocol';
import { CollectionRegistry } from '../collections/collection-registry';
import type { ReceiptRecord } from '../log/records';
import type { SyncSettings } from '../options/settings';
import { SYNC_SETTINGS } from '../options/tokens';
import { wireOf } from '../plan/ledger';
import { targetOf, type Decision, type PreparedChange } from '../plan/plan';
import type { Permissions } from './permissions';

/** What a client is told of each change: nothing of a collection that the identity may not read (invariant 5). */
@Injectable()
export class PushAnswers {
  constructor(
    private readonly collections: CollectionRegistry,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
  ) {}

  async resultsOf(
    changes: readonly PreparedChange[],
    decisions: readonly Decision[],
    permissions: Permissions,
  ): Promise<PushResult[]> {
    const results: PushResult[] = [];
    const room = { chars: this.settings.limits.maxPushBytes };
    for (const [index, change] of changes.entries()) {
      const decision = decisions[index];
      if (!decision) throw new Error('A plan lacks a decision');
      results.push(await this.resultOf(change, decision, permissions, room));
    }
    return results;
  }

  /** What is not there is left out: the keys of an answer are part of the wire. */
  private async resultOf(
    change: PreparedChange,
    decision: Decision,
    permissions: Permissions,
    room: Room,
  ): Promise<PushResult> {
    const { status, new_version, server_version, code, error, replayed, seq, changed, first } = decision;
    const mutationId = change.kind === 'ready' ? (change.mutation?.id ?? null) : change.mutationId;
    const result: Mutable<PushResult> = {
      doc_id: change.wireId,
      status,
      new_version,
      server_version,
      code,
      error,
    };
    if (changed || isShown(decision)) {
      const mayRead = await this.mayRead(targetOf(change)?.collection, permissions);
      const document = mayRead ? documentOf(change, decision, room) : undefined;
      if (document !== undefined) result.server_document = document;
      if (mayRead && changed) result.changed = true;
    }
    if (mutationId !== null) result.mutation_id = mutationId;
    if (replayed) result.replayed = true;
    if (seq !== undefined) result.seq = seq;
    if (first) result.first_answer = firstAnswer(first, await this.mayRead(first.collection, permissions));
    return result;
  }

  private async mayRead(name: string | undefined, permissions: Permissions): Promise<boolean> {
    const collection = name === undefined ? undefined : this.collections.get(name);
    if (!collection) return false;
    return permissions.known(collection, 'read') ?? permissions.may(collection, 'read');
  }
}

/** How many characters of documents an answer may still hold, those of conflicts aside. */
interface Room {
  chars: number;
}

function isShown({ conflict, standing }: Decision): boolean {
  return conflict !== undefined || standing !== undefined;
}

/** Null: there is none. Undefined: nothing is said of it, or it has no room in the answer. */
function documentOf(
  change: PreparedChange,
  { conflict, standing }: Decision,
  room: Room,
): ServerDocument | null | undefined {
  if (conflict) return conflict;
  if (!standing) return standing;
  const { version, deleted } = standing;
  const data = wireOf(standing, targetOf(change)?.form);
  room.chars -= JSON.stringify(data).length;
  return room.chars < 0 ? undefined : { version, deleted, data };
}

function firstAnswer(
  { doc_id, status, new_version, server_version, code, error }: ReceiptRecord,
  mayRead: boolean,
): FirstAnswer {
  return {
    ...(mayRead ? { doc_id } : {}),
    status,
    new_version,
    server_version,
    code,
    error: mayRead ? error : null,
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
