import { judge } from '../conflict/judge';
import { mergeFields } from '../conflict/merge';
import { encodeDocument } from '../collections/wire-codec';
import type { StoredDocument } from '../collections/collection';
import type { JsonObject } from '../protocol/json';
import {
  conflictBody,
  conflictRejection,
  ID_UNAVAILABLE,
  NOTHING_WRONG,
  rejected,
  WAITING,
  type Decided,
} from './answers';
import { wireOf, type DocumentState, type Ledger } from './ledger';
import { Lineage, type Ancestry } from './lineage';
import {
  baseText,
  type BaseNeed,
  type PlanClock,
  type PlanRequest,
  type PlanSnapshot,
  type ReadyChange,
  type ResolverNeed,
} from './plan';
import { recordWrite } from './recording';
import { refuseStamps } from './stamps';

/** What one request's changes do to the documents, one after another. */
export class ChangeDecisions {
  readonly lineage = new Lineage();
  /** Conflicts that the app's resolvers have to settle first. */
  readonly needs: ResolverNeed[] = [];
  /** Documents with such a conflict: later changes of them wait too. */
  private readonly pending = new Set<string>();
  /** See {@link basisOf}. */
  private readonly ownBasis = new Map<string, string>();

  constructor(
    private readonly layer: Ledger,
    private readonly snapshot: PlanSnapshot,
    private readonly request: PlanRequest,
    private readonly requestIndex: number,
    private readonly clock: PlanClock,
    private readonly missing: Map<string, BaseNeed>,
  ) {}

  decide(change: ReadyChange, index: number): Decided {
    if (change.verdict) return rejected(change.verdict);
    const found = this.layer.document(change.key);
    if (found === 'foreign' || (found && found.scopeId !== this.request.scopeId))
      return rejected(ID_UNAVAILABLE);
    const refused = refuseStamps(change, found, this.layer.head(this.request.scopeId), this.clock);
    if (refused) return rejected(refused);
    if (change.byServer) return this.write(change, index, found, change.document, 'accepted');
    if (this.pending.has(change.key)) return WAITING;

    const ancestry = this.lineage.of(change);
    const { operation, hlc, rules } = change;
    const { parent, unseen } = ancestry;
    const judgement = judge(found, { operation, parent, hlc, unseen }, rules);
    switch (judgement.kind) {
      case 'accept':
        return this.write(change, index, found, change.document, 'accepted');
      case 'already_deleted':
        return this.alreadyDeleted(change, found);
      case 'overrule':
        return this.write(change, index, found, change.document, 'conflict_resolved');
      case 'reject':
        return conflictRejection(judgement.code, found);
      case 'merge':
        return this.merge(change, index, found as DocumentState, ancestry, judgement.newer);
      case 'resolve':
        return this.resolve(change, index, found as DocumentState, ancestry);
    }
  }

  private alreadyDeleted(change: ReadyChange, found: DocumentState | undefined): Decided {
    const version = found?.version ?? null;
    if (version !== null) this.lineage.advance(change, version, 'as sent');
    return { ...NOTHING_WRONG, status: 'accepted', new_version: version, server_version: null };
  }

  private merge(
    change: ReadyChange,
    index: number,
    current: DocumentState,
    ancestry: Ancestry,
    newer: 'current' | 'incoming',
  ): Decided {
    const base = this.base(change, ancestry);
    if (!base) {
      return newer === 'incoming'
        ? this.write(change, index, current, change.document, 'conflict_resolved')
        : conflictRejection('conflict_stale', current);
    }
    const incoming = change.document ?? {};
    const merged = mergeFields(
      base,
      { stored: current.fields, wire: encodeDocument(current.fields) },
      { stored: incoming, wire: encodeDocument(incoming) },
      newer === 'current' ? 'ours' : 'theirs',
    );
    return this.write(change, index, current, merged, 'conflict_resolved');
  }

  /** The document as the client knew it: what it sent before, else the newest entry at or below the parent. */
  private base(change: ReadyChange, { parent, sent }: Ancestry): JsonObject | null | undefined {
    if (sent) return sent.data;
    if (parent === null) return undefined;
    const text = baseText(change.key, parent);
    if (!this.snapshot.bases.has(text)) {
      const { collection, key, storedId } = change;
      this.missing.set(text, { scopeId: this.request.scopeId, collection, key, storedId, version: parent });
    }
    return this.snapshot.bases.get(text);
  }

  private resolve(change: ReadyChange, index: number, current: DocumentState, ancestry: Ancestry): Decided {
    const currentVersion = current.version ?? '';
    const basis = this.basisOf(change.key, current);
    const { resolution } = change;
    if (resolution?.basis === basis) {
      if ('rejection' in resolution.outcome)
        return {
          ...rejected(resolution.outcome.rejection),
          server_version: currentVersion,
          conflict: conflictBody(current),
        };
      return this.write(change, index, current, resolution.outcome.document, 'conflict_resolved');
    }
    this.pending.add(change.key);
    this.needs.push({
      index,
      change,
      current: wireOf(current),
      currentVersion,
      basis,
      incoming: change.document && encodeDocument(change.document),
      parent: ancestry.parent,
      base: this.base(change, ancestry),
    });
    return WAITING;
  }

  /**
   * What a resolver's answer rests on: the stored version, and the changes that this request itself has made since.
   * (Their versions are drawn anew each time the request is planned.)
   */
  private basisOf(key: string, current: DocumentState | undefined): string {
    return this.ownBasis.get(key) ?? current?.version ?? '';
  }

  private write(
    change: ReadyChange,
    index: number,
    current: DocumentState | undefined,
    document: StoredDocument | null,
    status: 'accepted' | 'conflict_resolved',
  ): Decided {
    const { request, requestIndex, layer, clock } = this;
    const basis = this.basisOf(change.key, current);
    const writer = { request, requestIndex, change, changeIndex: index };
    const state = recordWrite(layer, clock, writer, current, document);
    const { version, deleted } = state;
    this.ownBasis.set(change.key, `${basis}+${String(index)}`);
    this.lineage.advance(change, version, document === change.document ? 'as sent' : state);
    const isConflict = status === 'conflict_resolved';
    return {
      status,
      new_version: version,
      server_version: isConflict ? (current?.version ?? null) : null,
      code: null,
      error: null,
      conflict: isConflict ? { version, deleted, data: wireOf(state) } : undefined,
    };
  }
}
