import type { JsonObject } from 'nest-offline-sync-protocol';
import { agrees } from './composition';
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
   * The document as the client has it after that change, when the parent is the client's own. Undefined data: after a patch
   * of a document that nobody knows any more.
   */
  readonly sent: { readonly data: JsonObject | null | undefined } | undefined;
  /** After a patch, which holds what others have written: the edit stamp of that, to be compared with. */
  readonly rivalStamp?: string | null;
}

interface OwnChange {
  readonly version: string;
  /** What the client sent. Null for a delete. */
  readonly change: ReadyChange;
  readonly made: Made;
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
}

/**
 * The changes of one request to one document are each other's children, also when an earlier one is a replay: the
 * second is not stale against the first, and what it is merged from is what the client sent before, not what the
 * server made of it.
 *
 * A patch leaves what others have written in the document. So a change after it is judged by what was known before the
 * patch, unless the client knows all of the patched document.
 */
export class Lineage {
  private readonly changes = new Map<string, OwnChange>();

  of({ key, parent }: ReadyChange): Ancestry {
    const own = this.changes.get(key);
    // A parent that is not older than the own change: the client has its answer already and edited that.
    if (!own || (parent !== null && parent >= own.version)) return { parent, unseen: false, sent: undefined };
    if (own.patched) return afterPatch(own, own.patched);
    return {
      parent: own.version,
      unseen: !isAsSent(own),
      sent: { data: sentBy(own.change) },
    };
  }

  advance(change: ReadyChange, version: string, made: Made, patched?: PatchedKnowledge): void {
    const own = this.changes.get(change.key);
    // Of a change that comes a second time its first coming tells more.
    if (own && own.version >= version) return;
    this.changes.set(change.key, { version, change, made, ...(patched ? { patched } : {}) });
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

function afterPatch({ version, change }: OwnChange, patched: PatchedKnowledge): Ancestry {
  const data = patched.known();
  const made = patched.made();
  const knowsAll =
    data !== undefined && made !== undefined && agrees(change.rules.form?.facts ?? {}, data, undefined, made);
  if (knowsAll) return { parent: version, unseen: false, sent: { data } };
  const { parent, rivalStamp } = patched;
  return { parent, unseen: false, sent: { data }, rivalStamp };
}

function isAsSent({ change, made }: OwnChange): boolean {
  if (made === 'as sent') return true;
  if (made === undefined) return false;
  const sent = sentBy(change);
  if (sent === null || made.deleted) return sent === null && made.deleted;
  const { form } = change.rules;
  // What the server keeps in a document (a time, a generated value) is no more than the client has sent.
  return agrees(form?.facts ?? {}, sent, change.document, wireOf(made, form) ?? undefined);
}
