import type { JsonObject } from 'nest-offline-sync-protocol';
import { agrees } from './composition';
import type { ReceiptRecord } from '../log/records';
import type { CollectionRules } from './conflict';
import { encodeBy } from '../codec/wire-codec';
import { wireOf } from './ledger';
import type { ReadyChange, DocumentState } from './plan';

/** What a change is judged by: what its client knew of the document when it edited. */
export interface Ancestry {
  /** The version that the client built upon: its parent, or what this request has already made of the document. */
  readonly parent: string | null;
  /** The parent is the client's own change, and the server has made more of that than the client had sent. */
  readonly unseen: boolean;
  /**
   * The document as the client has it after that change, when the parent is the client's own of this request. Undefined
   * data: after a patch of a document that nobody knows any more.
   */
  readonly sent: { readonly data: JsonObject | null | undefined } | undefined;
  /** What the client had sent in an earlier request, by what the server made of it: {@link ReceiptRecord.sent}. */
  readonly difference?: string;
  /** After a patch, which holds what others have written: the edit stamp of that, to be compared with. */
  readonly rivalStamp?: string | null;
}

interface OwnChange {
  readonly version: string;
  /** What the client sent, and what became of it; or, of an earlier request, what its receipt has kept. */
  readonly from: { readonly change: ReadyChange; readonly made: Made } | { readonly receipt: ReceiptRecord };
  /** Of a patch. */
  readonly patched?: PatchedKnowledge;
}

/** What the server made of a change: just what was sent, or the document as it stood then (undefined: not known). */
type Made = 'as sent' | DocumentState | undefined;

/** What a client knows after its patch. The patched document may hold more: what others have written meanwhile. */
export interface PatchedKnowledge {
  /** The document as the client has it; undefined: not known. Looked for when a later change needs it. */
  readonly known: () => JsonObject | undefined;
  /** The document that the patch has left; undefined: not known. */
  readonly made: () => JsonObject | undefined;
  /** What the patch was judged by. */
  readonly parent: string | null;
  readonly rivalStamp: string | null | undefined;
  /** {@link ReceiptRecord.sent} of the patch. */
  readonly kept?: () => string | null | undefined;
}

/**
 * The changes of one request to one document are each other's children, also when an earlier one is a replay, and so is
 * a change that names its parent: it is not stale against that, and what it is merged from is what the client sent
 * before, not what the server made of it.
 *
 * A patch leaves what others have written in the document. So a change after it is judged by what was known before the
 * patch, unless the client knows all of the patched document.
 */
export class Lineage {
  private readonly changes = new Map<string, OwnChange>();

  of({ key, parent, rules }: ReadyChange): Ancestry {
    const own = this.changes.get(key);
    // A parent that is not older than the own change: the client has its answer already and edited that.
    if (!own || (parent !== null && parent >= own.version)) return { parent, unseen: false, sent: undefined };
    const { version, from } = own;
    if (own.patched) return afterPatch(version, rules, own.patched);
    if (!('receipt' in from))
      return { parent: version, unseen: !isAsSent(from), sent: { data: sentBy(from.change) } };
    const { status, sent: difference } = from.receipt;
    if (typeof difference !== 'string') return { parent: version, unseen: false, sent: undefined };
    return { parent: version, unseen: status === 'conflict_resolved', sent: undefined, difference };
  }

  /** Whether the request itself has come as far as a version of the document. */
  knows({ key }: Pick<ReadyChange, 'key'>, version: string): boolean {
    const own = this.changes.get(key);
    return own !== undefined && own.version >= version;
  }

  /** The change builds on a mutation of an earlier request. */
  adopt({ key }: ReadyChange, version: string, receipt: ReceiptRecord, patched?: PatchedKnowledge): void {
    if (!this.knows({ key }, version))
      this.changes.set(key, { version, from: { receipt }, ...(patched ? { patched } : {}) });
  }

  advance(change: ReadyChange, version: string, made: Made, patched?: PatchedKnowledge): void {
    // Of a change that comes a second time its first coming tells more.
    if (!this.knows(change, version)) this.stay(change, version, made, patched);
  }

  /** A new change has left the document as it was: what its client knows is what it has sent last. */
  stay(change: ReadyChange, version: string, made: Made, patched?: PatchedKnowledge): void {
    const own = this.changes.get(change.key);
    if (own && own.version > version) return;
    this.changes.set(change.key, { version, from: { change, made }, ...(patched ? { patched } : {}) });
  }
}

/** What a change's client has sent, in its wire form. Null for a delete. */
export function sentBy({ document, content, rules }: ReadyChange): JsonObject | null {
  return content?.sent ?? (document && encodeBy(rules.form, document));
}

/** The document as a change of this ancestry competes with it: by the stamp of what others have written. */
export function rivalOf(current: DocumentState, { rivalStamp }: Ancestry): DocumentState {
  return rivalStamp === undefined ? current : { ...current, stamp: rivalStamp };
}

function afterPatch(version: string, { form }: CollectionRules, patched: PatchedKnowledge): Ancestry {
  const data = patched.known();
  const made = patched.made();
  const knowsAll =
    data !== undefined && made !== undefined && agrees(form?.facts ?? {}, data, undefined, made);
  if (knowsAll) return { parent: version, unseen: false, sent: { data } };
  const { parent, rivalStamp } = patched;
  return { parent, unseen: false, sent: { data }, rivalStamp };
}

function isAsSent({ change, made }: { readonly change: ReadyChange; readonly made: Made }): boolean {
  if (made === 'as sent') return true;
  if (made === undefined) return false;
  const sent = sentBy(change);
  if (sent === null || made.deleted) return sent === null && made.deleted;
  const { form } = change.rules;
  // What the server keeps in a document (a time, a generated value) is no more than the client has sent.
  return agrees(form?.facts ?? {}, sent, change.document, wireOf(made, form) ?? undefined);
}
