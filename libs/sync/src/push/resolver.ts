import { Injectable, Logger } from '@nestjs/common';
import type { Rejection } from 'nest-offline-sync-protocol';
import { CollectionRegistry } from '../collections/collection-registry';
import type { Conflict } from '../plan/conflict';
import type { SyncIdentity } from '../identity/identity';
import {
  preparationKey,
  withVerdict,
  type Finding,
  type Need,
  type PatchPreparation,
  type PreparationNeed,
  type ResolverNeed,
  type Resolution,
  type VerdictNeed,
} from '../plan/plan';

/** How often a resolver is asked for one change before the document is said to move too fast. */
export const MAX_TRIES = 3;
export const MOVES_TOO_FAST: Rejection = {
  code: 'conflict_retry',
  message: 'The document changed again and again while the conflict was settled; pull it and edit it again.',
};

/**
 * Asks the app's resolvers, validators, transforms and DTOs, outside of any transaction. A resolver's answer counts only while the
 * document's version is the one it was shown; a validator's, for the content that it has seen.
 */
@Injectable()
export class ResolverService {
  private readonly logger = new Logger('SyncModule');

  constructor(private readonly collections: CollectionRegistry) {}

  async ask(identity: SyncIdentity, need: Need): Promise<Finding> {
    switch (need.kind) {
      case 'verdict':
        return this.verify(need);
      case 'preparation':
        return { preparation: await this.prepare(identity, need) };
      case 'resolver':
        return { resolution: await this.resolve(identity, need) };
    }
  }

  /** What the app's transform and DTO make of a patched document. */
  private async prepare(
    identity: SyncIdentity,
    { change, wire, touched }: PreparationNeed,
  ): Promise<PatchPreparation> {
    const collection = this.collections.get(change.collection);
    if (!collection) throw new Error(`Collection ${change.collection} is not registered`);
    const outcome = await collection.preparePatched(identity, change, wire, touched);
    return { of: preparationKey(wire, change.rules), outcome };
  }

  /** What the schema's rules, the app's own functions among them, say of a document. */
  private async verify({ change, document, current }: VerdictNeed): Promise<Finding> {
    const { form } = change.rules;
    const of = form?.verdictKey(document, current);
    const collection = this.collections.get(change.collection);
    if (!collection || of === undefined) throw new Error(`Collection ${change.collection} has no schema`);
    return withVerdict(change, { of, checked: await collection.verify(change, document, current) });
  }

  private async resolve(identity: SyncIdentity, need: ResolverNeed): Promise<Resolution> {
    const { basis, change } = need;
    const collection = this.collections.get(change.collection);
    if (!collection) throw new Error(`Collection ${change.collection} is not registered`);
    try {
      const document = await collection.resolve(toConflict(identity, need));
      if (document === null) return { basis, outcome: { document: null } };
      const cast = await collection.settle(change, await collection.cast(change, document), need.stored);
      if (cast.ok) return { basis, outcome: { document: cast.document } };
      const message = `The resolver's document was not valid: ${cast.rejection.message}`;
      return { basis, outcome: { rejection: { code: 'resolver_failed', message } } };
    } catch (error) {
      this.logger.error(
        `The conflict resolver of ${change.collection} failed: ${error instanceof Error ? error.name : 'unknown error'}`,
      );
      const message = 'The server could not settle this conflict; pull the document and edit it again.';
      return { basis, outcome: { rejection: { code: 'resolver_failed', message } } };
    }
  }
}

function toConflict(
  identity: SyncIdentity,
  { change, current, currentVersion, base, parent, incoming }: ResolverNeed,
): Conflict {
  return {
    collection: change.collection,
    docId: change.wireId,
    current,
    currentVersion,
    change: {
      operation: change.operation,
      data: incoming,
      parentVersion: parent,
      ...(change.hlc === null ? {} : { hlc: change.hlc }),
    },
    ...(base === undefined ? {} : { base }),
    identity,
  };
}
