import { judge } from './judge';
import { mergeFields } from './merge';
import { keepTypes } from './composition';
import { encodeBy, type Settled } from './document-form';
import type { Checked, StoredDocument } from '../collections/collection';
import type { Rejection } from '../protocol/errors';
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
import { wireOf, type Ledger } from './ledger';
import { Lineage, sentBy, type Ancestry } from './lineage';
import {
  baseText,
  type BaseNeed,
  type DocumentState,
  type Need,
  type PlanClock,
  type PlanRequest,
  type PlanSnapshot,
  type ReadyChange,
} from './plan';
import { recordWrite } from './recording';
import { refuseStamps } from './stamps';

/** What one request's changes do to the documents, one after another. */
export class ChangeDecisions {
  readonly lineage = new Lineage();
  /** What the app's own code has to be asked first. */
  readonly needs: Need[] = [];
  /** Documents that wait for such an answer: later changes of them wait too. */
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
        return this.take(change, index, found, ancestry, 'accepted');
      case 'already_deleted':
        return this.alreadyDeleted(change, found);
      case 'overrule':
        return this.take(change, index, found, ancestry, 'conflict_resolved');
      case 'reject':
        // Data that is wrong whatever it meets stays wrong when the client has pulled.
        return this.refusal(change, found) ?? conflictRejection(judgement.code, found, rules.form);
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

  /** The change as it came, on the document that it meets. */
  private take(
    change: ReadyChange,
    index: number,
    current: DocumentState | undefined,
    ancestry: Ancestry,
    status: 'accepted' | 'conflict_resolved',
  ): Decided {
    const { document, content, rules } = change;
    const stands = standing(current);
    if (document === null || !content || !rules.form)
      return this.write(change, index, current, document && keepTypes(document, stands), status);
    const settled = rules.form.settle(
      change,
      document,
      content,
      stands,
      this.echoed(change, current, ancestry),
    );
    return this.unless(change, index, stands, settled, rejected, (made) =>
      this.write(change, index, current, made, status),
    );
  }

  private refusal(change: ReadyChange, current: DocumentState | undefined): Decided | undefined {
    const { document, content, rules } = change;
    if (document === null || !content || !rules.form) return undefined;
    const settled = rules.form.settle(change, document, content, standing(current));
    return settled.ok === false ? rejected(settled.rejection) : undefined;
  }

  /** The base of a document whose setters would take a stored value that comes back for a new one. */
  private echoed(
    change: ReadyChange,
    current: DocumentState | undefined,
    ancestry: Ancestry,
  ): JsonObject | null | undefined {
    const needsBase = change.rules.form?.rules?.hasSetters && ancestry.parent !== current?.version;
    return needsBase && current && !ancestry.sent ? this.base(change, ancestry) : undefined;
  }

  private merge(
    change: ReadyChange,
    index: number,
    current: DocumentState,
    ancestry: Ancestry,
    newer: 'current' | 'incoming',
  ): Decided {
    const base = this.base(change, ancestry);
    const { form } = change.rules;
    if (!base) {
      return newer === 'incoming'
        ? this.take(change, index, current, ancestry, 'conflict_resolved')
        : conflictRejection('conflict_stale', current, form);
    }
    const composed = this.composed(change, current, base);
    if (!composed.ok) return rejected(composed.rejection);
    const theirs = composed.document;
    const merged = mergeFields(
      base,
      { stored: current.fields, wire: encodeBy(form, current.fields) },
      { stored: theirs, wire: encodeBy(form, theirs), sent: sentBy(change) ?? {} },
      newer === 'current' ? 'ours' : 'theirs',
      form?.facts,
    );
    const write = (made: StoredDocument) =>
      this.write(change, index, current, made, 'conflict_resolved', true);
    if (!form || !change.content) return write(merged);
    const whole = form.withHidden(merged, current.fields);
    const settled = form.verify(change, whole, change.content, current.fields);
    const refuse = ({ message }: Rejection) =>
      conflictRejection(
        'conflict_stale',
        current,
        form,
        `Both sides together make a document that is not valid (${message}) Pull it and edit that.`,
      );
    return this.unless(change, index, current.fields, settled, refuse, write);
  }

  private composed(change: ReadyChange, current: DocumentState, base: JsonObject): Checked {
    const { document, content, rules } = change;
    if (document === null || !content || !rules.form)
      return { ok: true, document: keepTypes(document ?? {}, current.fields) };
    return rules.form.compose(document, content, current.fields, base);
  }

  /** Goes on with a document that may be stored; one that the app's validators must see first waits for them. */
  private unless(
    change: ReadyChange,
    index: number,
    current: StoredDocument | undefined,
    settled: Settled,
    refuse: (rejection: Rejection) => Decided,
    write: (document: StoredDocument) => Decided,
  ): Decided {
    if (settled.ok === true) return write(settled.document);
    if (settled.ok === false) return refuse(settled.rejection);
    this.pending.add(change.key);
    this.needs.push({ kind: 'verdict', index, change, document: settled.document, current });
    return WAITING;
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
          conflict: conflictBody(current, change.rules.form),
        };
      return this.write(change, index, current, resolution.outcome.document, 'conflict_resolved', true);
    }
    this.pending.add(change.key);
    this.needs.push({
      kind: 'resolver',
      index,
      change,
      current: wireOf(current, change.rules.form),
      stored: standing(current),
      currentVersion,
      basis,
      incoming: sentBy(change),
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
    joins = false,
  ): Decided {
    const { request, requestIndex, layer, clock } = this;
    const basis = this.basisOf(change.key, current);
    const writer = { request, requestIndex, change, changeIndex: index };
    const { form } = change.rules;
    const stamped =
      document === null || !form || change.byServer ? document : form.stamp(document, standing(current));
    const state = recordWrite(layer, clock, writer, current, stamped);
    const { version, deleted } = state;
    this.ownBasis.set(change.key, `${basis}+${String(index)}`);
    this.lineage.advance(change, version, joins ? state : 'as sent');
    const isConflict = status === 'conflict_resolved';
    return {
      status,
      new_version: version,
      server_version: isConflict ? (current?.version ?? null) : null,
      code: null,
      error: null,
      conflict: isConflict ? { version, deleted, data: wireOf(state, form) } : undefined,
    };
  }
}

/** The fields that stand; undefined where there is no document, or a tombstone. */
function standing(current: DocumentState | undefined): StoredDocument | undefined {
  return current && !current.deleted ? current.fields : undefined;
}
