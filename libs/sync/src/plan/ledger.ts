import { parseHlc, ZERO_HLC, ZERO_VERSION, type Hlc, type JsonObject } from 'nest-offline-sync-protocol';
import { encodeBy } from '../codec/wire-codec';
import type { DocumentForm } from './document-form';
import { isCopied } from '../codec/copied-document';
import { isSyncField, SYNC_FIELDS, type StoredDocument } from '../codec/stored-document';
import type { EntryRecord, ReceiptRecord } from '../log/records';
import type { DocumentState, PlanSnapshot, PlanStep } from './plan';

export interface HeadState {
  readonly fromSeq: number | undefined;
  /** The version that the transaction found: the newest that anybody can have seen. */
  readonly committed: string;
  readonly version: string;
  /** `version`, read once: each change of a plan draws the next one from it. */
  readonly hlc: Hlc;
  readonly seq: number;
  readonly moved: boolean;
  /** {@link HeadRecord.tombstoneFloor}. */
  readonly tombstoneFloor: string | undefined;
}

/**
 * What a plan has decided so far, in layers: a request works on its own layer, and a group of its changes on one above
 * that. A layer is absorbed in the end; where its changes were rolled back, nothing is left in it but the receipts of
 * refusals. So a rolled back batch writes nothing, by construction.
 */
export class Ledger {
  readonly documents = new Map<string, DocumentState>();
  readonly heads = new Map<string, HeadState>();
  readonly receipts = new Map<string, ReceiptRecord>();
  readonly entries: EntryRecord[] = [];
  /** One for each entry. */
  readonly steps: PlanStep[] = [];

  private constructor(
    private readonly below: Ledger | undefined,
    private readonly snapshot: PlanSnapshot,
  ) {}

  static over(snapshot: PlanSnapshot): Ledger {
    return new Ledger(undefined, snapshot);
  }

  layer(): Ledger {
    return new Ledger(this, this.snapshot);
  }

  /** Keeps the documents in the order of their last change: what gave a unique value up is written before what took it. */
  setDocument(key: string, state: DocumentState): void {
    this.documents.delete(key);
    this.documents.set(key, state);
  }

  /** Empties the layer: nothing that it held was decided. */
  rollBack(): void {
    for (const map of [this.documents, this.heads, this.receipts]) map.clear();
    this.entries.length = 0;
    this.steps.length = 0;
  }

  absorb(layer: Ledger): void {
    for (const [key, state] of layer.documents) this.setDocument(key, state);
    for (const [scope, head] of layer.heads) this.heads.set(scope, head);
    for (const [key, receipt] of layer.receipts) this.receipts.set(key, receipt);
    for (const entry of layer.entries) this.entries.push(entry);
    for (const step of layer.steps) this.steps.push(step);
  }

  head(scopeId: string): HeadState {
    const planned = this.heads.get(scopeId) ?? this.below?.head(scopeId);
    if (planned) return planned;
    const stored = this.snapshot.heads.get(scopeId);
    const version = stored?.version ?? ZERO_VERSION;
    const head: HeadState = {
      fromSeq: stored?.seq,
      committed: version,
      version,
      hlc: parseHlc(version) ?? ZERO_HLC,
      seq: stored?.seq ?? 0,
      moved: false,
      tombstoneFloor: stored?.tombstoneFloor,
    };
    this.heads.set(scopeId, head);
    return head;
  }

  document(key: string): DocumentState | 'foreign' | undefined {
    const planned = this.documents.get(key) ?? this.below?.document(key);
    if (planned) return planned;
    const stored = this.snapshot.documents.get(key);
    return stored === undefined || stored === 'foreign' ? stored : fromStored(stored);
  }

  /**
   * A document that is not there and whose tombstone may have been removed since its client saw it: to that client it is
   * a tombstone, so that what was deleted does not come back unasked. Its version stands for whichever it was.
   *
   * @param parent what the client has seen of it
   */
  forgotten(scopeId: string, parent: string | null): DocumentState | undefined {
    const { tombstoneFloor: version } = this.head(scopeId);
    if (version === undefined || parent === null || parent >= version) return undefined;
    const origin = { exists: false, version: undefined };
    return { scopeId, version, stamp: version, deleted: true, fields: {}, origin };
  }

  /** A document as the plan itself has left it with a version, whatever it has made of it since. */
  stateAt(key: string, version: string): DocumentState | undefined {
    return (
      this.steps.find((step) => step.key === key && step.state.version === version)?.state ??
      this.below?.stateAt(key, version)
    );
  }

  receipt(key: string): ReceiptRecord | undefined {
    return this.receipts.get(key) ?? this.below?.receipt(key) ?? this.snapshot.receipts?.get(key);
  }

  /** Whether the receipt is of this very layer: it goes when the layer is dropped. */
  holdsReceipt(key: string): boolean {
    return this.receipts.has(key);
  }
}

/** What clients see of a document. */
export function wireOf(
  state: Pick<DocumentState, 'deleted' | 'fields'>,
  form: DocumentForm | undefined,
): JsonObject | null {
  return state.deleted ? null : encodeBy(form, state.fields);
}

function fromStored(stored: StoredDocument): DocumentState {
  const fields: StoredDocument = {};
  for (const key of Object.keys(stored)) if (key !== '_id' && !isSyncField(key)) fields[key] = stored[key];
  const version = text(stored[SYNC_FIELDS.version]);
  return {
    scopeId: text(stored[SYNC_FIELDS.scope]) ?? '',
    version,
    stamp: text(stored[SYNC_FIELDS.hlc]) ?? version,
    deleted: stored[SYNC_FIELDS.deleted] === true,
    fields,
    origin: {
      exists: true,
      version: version ?? undefined,
      scope: text(stored[SYNC_FIELDS.scope]),
      hash: text(stored[SYNC_FIELDS.hash]) ?? undefined,
      ...(isCopied(stored) && version === null ? { copiedFrom: stored[SYNC_FIELDS.owner] } : {}),
    },
  };
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
