import { Injectable } from '@nestjs/common';
import type { FirstAnswer, PushResult, ServerDocument } from 'nest-offline-sync-protocol';
import { CollectionRegistry } from '../collections/collection-registry';
import type { ReceiptRecord } from '../log/records';
import { wireOf } from '../plan/ledger';
import { targetOf, type Decision, type PreparedChange } from '../plan/plan';
import type { Permissions } from './intake';

/** What a client is told of each change: nothing of a collection that the identity may not read (invariant 5). */
@Injectable()
export class PushAnswers {
  constructor(private readonly collections: CollectionRegistry) {}

  /** What is not there is left out: the keys of an answer are part of the wire. */
  async resultOf(change: PreparedChange, decision: Decision, permissions: Permissions): Promise<PushResult> {
    const { status, new_version, server_version, code, error, replayed, first } = decision;
    const mutationId = change.kind === 'ready' ? (change.mutation?.id ?? null) : change.mutationId;
    const result: Mutable<PushResult> = {
      doc_id: change.wireId,
      status,
      new_version,
      server_version,
      code,
      error,
    };
    const document = documentOf(change, decision);
    if (document !== undefined && (await this.mayRead(targetOf(change)?.collection, permissions)))
      result.server_document = document;
    if (mutationId !== null) result.mutation_id = mutationId;
    if (replayed) result.replayed = true;
    if (first) result.first_answer = firstAnswer(first, await this.mayRead(first.collection, permissions));
    return result;
  }

  private async mayRead(name: string | undefined, permissions: Permissions): Promise<boolean> {
    const collection = name === undefined ? undefined : this.collections.get(name);
    if (!collection) return false;
    return permissions.known(collection, 'read') ?? permissions.may(collection, 'read');
  }
}

/** Null: there is none. Undefined: nothing is said of it. */
function documentOf(
  change: PreparedChange,
  { conflict, standing }: Decision,
): ServerDocument | null | undefined {
  if (conflict) return conflict;
  if (!standing) return standing;
  const { version, deleted } = standing;
  return { version, deleted, data: wireOf(standing, targetOf(change)?.form) };
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
