import type {
  Atomicity,
  DocId,
  JsonObject,
  Operation,
  PatchBody,
  Rejection,
} from 'nest-offline-sync-protocol';
import type { StoredDocument, StoredId } from '../codec/stored-document';
import type { CollectionRules } from './conflict';
import type { Content, DocumentForm, Verdict } from './document-form';
import type { DocumentOrigin, Observed } from './observed';
import { dropFields, isKeptByServer } from './field-facts';
import type { EntryRecord, HeadRecord, ReceiptRecord } from '../log/records';

/** What a custom resolver made of a conflict; counts only while the document is still the one it was asked about. */
export interface Resolution {
  /** {@link ResolverNeed.basis}. */
  readonly basis: string;
  readonly outcome: { readonly document: StoredDocument | null } | { readonly rejection: Rejection };
}

export interface Mutation {
  readonly id: string;
  /** Of the change's body. */
  readonly hash: string;
  /** Whether a receipt of an earlier version, whose hash was made in another way, is of the same body. */
  readonly hasFormerHash?: (hash: string) => boolean;
}

/**
 * A change as the planner takes it: ready, or refused before. A refused one counts for atomicity, and a mutation that
 * took effect before it was refused still gets its first answer.
 */
export type PreparedChange = ReadyChange | RefusedChange;

/** Changes of a push with the same group stand or fall together; they follow one another. */
interface Grouped {
  readonly group?: string;
}

/** Authorized, validated, cast. */
export interface ReadyChange extends Grouped {
  readonly kind: 'ready';
  readonly collection: string;
  readonly rules: CollectionRules;
  readonly operation: Operation;
  /** {@link documentKey} of the stored id. */
  readonly key: string;
  readonly storedId: StoredId;
  readonly wireId: DocId;
  /** Null for a delete, and for a patch, which the plan applies. Without `_id` and `_sync_*`. */
  readonly document: StoredDocument | null;
  /** Of a patch. */
  readonly patch?: PatchBody;
  /** Of a patch: what the app's transform and DTO made of the document that it leaves. */
  readonly preparation?: PatchPreparation;
  /** What the stored document has a say in, where the collection's documents have a form. */
  readonly content?: Content;
  /** The data just as the client sent it, where the document is not that. */
  readonly given?: JsonObject;
  /** The document's JSON, when it is stored just as it came: the entry's text is made around it. */
  readonly text?: string;
  readonly parent: string | null;
  readonly hlc: string | null;
  /** The id of the client's own mutation that it builds on. */
  readonly parentMutation?: string;
  /** The answer shows the stored document. */
  readonly returns?: boolean;
  /** Absent: no receipt, a retry is a new change. */
  readonly mutation?: Mutation;
  /** The app's own write: taken as it is, or patched onto what stands, under a version that it was promised, if any. */
  readonly byServer?: { readonly reserved: string | undefined };
  readonly resolution?: Resolution;
  /** What MongoDB said to an earlier plan (a unique index), or that the resolver's tries are used up. */
  readonly verdict?: Rejection;
  /** The change is nobody's edit: what stands there is compared with what was recorded of it. See {@link recordForeign}. */
  readonly observed?: Observed;
}

export interface RefusedChange extends Grouped {
  readonly kind: 'refused';
  /** The document that it names; absent where it names none that there can be. */
  readonly target?: DocumentTarget;
  readonly wireId: DocId | null;
  readonly mutationId: string | null;
  /** Absent when no earlier try of it can have been taken. */
  readonly mutation?: Mutation;
  readonly rejection: Rejection;
}

/** A document of a synced collection, which may be there or not. */
export interface DocumentTarget {
  readonly collection: string;
  /** {@link documentKey} of the stored id. */
  readonly key: string;
  readonly storedId: StoredId;
  readonly form: DocumentForm | undefined;
}

/** The document that a change is about; undefined when it names none that there can be. */
export function targetOf(change: ReadyChange): DocumentTarget;
export function targetOf(change: PreparedChange): DocumentTarget | undefined;
export function targetOf(change: PreparedChange): DocumentTarget | undefined {
  if (change.kind === 'refused') return change.target;
  const { collection, key, storedId, rules } = change;
  return { collection, key, storedId, form: rules.form };
}

export interface PlanRequest {
  readonly scopeId: string;
  readonly actorId: string;
  readonly clientId: string;
  /** With `mutation` the changes of a group stand or fall together; with `batch` all do. */
  readonly atomic: Atomicity;
  /** A unique index has refused one of its changes: others may be looked for before they are written. */
  readonly hasDuplicates?: boolean;
  readonly changes: readonly PreparedChange[];
}

/** Whether a request asks what documents are by now: nobody's push. */
export function observes({ changes }: PlanRequest): boolean {
  return changes.some((change) => change.kind === 'ready' && change.observed !== undefined);
}

/** What the database holds, read in the transaction. */
export interface PlanSnapshot {
  readonly heads: ReadonlyMap<string, HeadRecord>;
  /** By {@link documentKey}. A document of another scope is `foreign`: nothing of it gets this far. */
  readonly documents: ReadonlyMap<string, StoredDocument | 'foreign'>;
  /** By {@link receiptText}. Undefined: not looked up; see {@link Plan.needsReceipts}. */
  readonly receipts: ReadonlyMap<string, ReceiptRecord> | undefined;
  /** By {@link baseText}: the document at a version, null when it was deleted then, undefined when the log has it no more. */
  readonly bases: ReadonlyMap<string, JsonObject | null | undefined>;
}

export interface PlanClock {
  /** The bounded wall clock. Milliseconds. */
  readonly wallMs: number;
  readonly node: string;
  readonly maxDriftMs: number;
}

/** What becomes of one change: what its receipt keeps, and the stored document for those who may read it. */
export interface Decision extends Pick<
  ReceiptRecord,
  'status' | 'new_version' | 'server_version' | 'code' | 'error' | 'seq' | 'changed'
> {
  /** It was made when the mutation came first. */
  readonly replayed: boolean;
  /** The document that a conflict was about, as it stands after the plan. */
  readonly conflict?: {
    readonly version: string;
    readonly deleted: boolean;
    readonly data: JsonObject | null;
  };
  /**
   * The document as it stands after a change that was rejected for something else, or that asked for it; null where
   * the scope has none. Absent: nothing is said of it.
   */
  readonly standing?: Standing | null;
  /** {@link ReceiptRecord.sent}. */
  readonly sent?: string | null;
  /** What the mutation was answered that has the change's id. */
  readonly first?: ReceiptRecord;
}

/** What the app's own code has to be asked before a request can be planned, outside of any transaction. */
export type Need = ResolverNeed | VerdictNeed | PreparationNeed;

/** A document as a patch leaves it, which the app's transform and DTO have to see. */
export interface PreparationNeed {
  readonly kind: 'preparation';
  /** Index into the request's changes. */
  readonly index: number;
  readonly change: ReadyChange;
  /** As clients see it. */
  readonly wire: JsonObject;
  /** Those of its fields that the patch has changed. */
  readonly touched: ReadonlySet<string>;
}

/** The answer to a {@link PreparationNeed}. It holds for the content of a document, whatever version it replaces. */
export interface PatchPreparation {
  /** {@link preparationKey} of the document. */
  readonly of: string;
  readonly outcome:
    { readonly ok: true; readonly wire: JsonObject } | { readonly ok: false; readonly rejection: Rejection };
}

/** A document that the app's own validators have to see, as it would be stored. */
export interface VerdictNeed {
  readonly kind: 'verdict';
  /** Index into the request's changes. */
  readonly index: number;
  readonly change: ReadyChange;
  readonly document: StoredDocument;
  /** The document that it would replace. */
  readonly current: StoredDocument | undefined;
}

/** A conflict that only the app's resolver can settle. */
export interface ResolverNeed {
  readonly kind: 'resolver';
  /** Index into the request's changes. */
  readonly index: number;
  readonly change: ReadyChange;
  readonly current: JsonObject | null;
  /** The current document's own fields as they are stored; undefined when it is deleted. */
  readonly stored: StoredDocument | undefined;
  readonly currentVersion: string;
  /** What the answer will rest on: give it back with the resolution. */
  readonly basis: string;
  /** The client's side, as clients see it. */
  readonly incoming: JsonObject | null;
  readonly parent: string | null;
  readonly base: JsonObject | null | undefined;
}

/** What becomes of a request: a decision on each change, in their order, or what has to be asked first (nothing of it is written then). */
export type RequestOutcome =
  | { readonly kind: 'decided'; readonly decisions: readonly Decision[] }
  | { readonly kind: 'unresolved'; readonly needs: readonly Need[] };

/** Request and change index: who has written something. A database that refuses it rejects this change. */
export interface Writer {
  readonly request: number;
  readonly change: number;
}

/** One document's last state in a plan. */
export interface PlannedWrite {
  readonly scopeId: string;
  readonly collection: string;
  readonly key: string;
  /**
   * `insert`: it was not there. Otherwise it was there with this version (undefined: without one) and this scope, and it
   * is replaced, gets the engine's fields alone (`stamp`), or loses them (`release`).
   */
  readonly kind: 'insert' | 'replace' | 'stamp' | 'release';
  readonly expectedVersion: string | undefined;
  /** Null: none. */
  readonly expectedScope: string | null;
  /** It has the fields of this other document, instead of a version and a scope of its own. */
  readonly copiedFrom?: StoredId;
  readonly document: StoredDocument & { readonly _id: StoredId };
  /** How long its entry's text is: about its size. */
  readonly chars: number;
  /** Who wrote it last. */
  readonly writer: Writer;
}

export interface HeadMove {
  readonly scopeId: string;
  /** The seq to move from; undefined: the scope's first write. */
  readonly fromSeq: number | undefined;
  readonly version: string;
  readonly seq: number;
}

/** A document while a plan is made: as the database has it, or as an earlier change of the plan has left it. */
export interface DocumentState {
  readonly scopeId: string;
  /** Null: stored before it was synced. */
  readonly version: string | null;
  /** The edit stamp of the last winner, else the version. */
  readonly stamp: string | null;
  readonly deleted: boolean;
  /** The app's own fields. */
  readonly fields: StoredDocument;
  /** What the database had when the transaction began. */
  readonly origin: DocumentOrigin;
  /** Set once the plan has changed the document. */
  readonly written?: {
    readonly collection: string;
    readonly storedId: StoredId;
    readonly actorId: string;
    readonly writer: Writer;
    /** Of the entry's text. */
    readonly chars: number;
    /** What is stored as {@link SYNC_FIELDS.hash}. */
    readonly hash?: string;
    /** Of a document that is stored already: only the engine's fields change. */
    readonly kind?: 'stamp' | 'release';
  };
}

/** A document as it stands, for those who may read it. */
export type Standing = Pick<DocumentState, 'version' | 'deleted' | 'fields'>;

/** A document as one change has left it. */
export interface PlanStep {
  readonly key: string;
  readonly state: DocumentState;
  /** It is what was sent, whatever stood there before. */
  readonly asSent: boolean;
}

export interface BaseNeed {
  readonly scopeId: string;
  readonly collection: string;
  readonly key: string;
  readonly storedId: StoredId;
  readonly version: string;
}

export interface Plan {
  readonly outcomes: readonly RequestOutcome[];
  readonly writes: readonly PlannedWrite[];
  readonly entries: readonly EntryRecord[];
  /** What each entry has made of its document, in the order of the entries. */
  readonly steps: readonly PlanStep[];
  readonly receipts: readonly ReceiptRecord[];
  readonly heads: readonly HeadMove[];
  /** Merge bases that the snapshot lacks: read them and plan again. */
  readonly missingBases: readonly BaseNeed[];
  /**
   * The receipts were not looked up, and the plan leaves none for some mutation: only they can tell whether that one
   * was answered before. Read them and plan again. A plan that leaves a receipt for each mutation needs no look: the
   * database refuses to write one that is there, and with it everything else.
   */
  readonly needsReceipts: boolean;
}

/** Identifies a stored document over all collections, whatever the BSON type of its id. */
export function documentKey(collection: string, storedId: StoredId, wireId: DocId): string {
  const id =
    typeof storedId === 'string'
      ? `s${storedId}`
      : typeof storedId === 'number'
        ? `n${storedId}`
        : `x${wireId}`;
  return `${collection}\0${id}`;
}

export function receiptText(scopeId: string, clientId: string, mutationId: string): string {
  return JSON.stringify([scopeId, clientId, mutationId]);
}

export function baseText(scopeId: string, key: string, version: string): string {
  return JSON.stringify([scopeId, key, version]);
}

/**
 * The content of a patched document, without the times and the version key that the server keeps in it: those of a document
 * that the same push has just written are others each time the push is planned.
 */
export function preparationKey(wire: JsonObject, { form }: CollectionRules): string {
  if (!form) return JSON.stringify(wire);
  const content = structuredClone(wire);
  dropFields(form.facts, content, isKeptByServer);
  return JSON.stringify(content);
}

/** What was found out about a change since it was planned: by the database, a resolver or a validator. */
export type Finding = Pick<ReadyChange, 'resolution' | 'verdict' | 'content' | 'preparation'>;

/** The request with a finding about one of its changes. */
export function withFinding(request: PlanRequest, index: number, finding: Finding): PlanRequest {
  return withFindings(request, new Map([[index, finding]]));
}

/** The request with findings about some of its changes, by their indexes. */
export function withFindings(request: PlanRequest, findings: ReadonlyMap<number, Finding>): PlanRequest {
  const changes = request.changes.map((change, index) => {
    const finding = findings.get(index);
    return finding && change.kind === 'ready' ? { ...change, ...finding } : change;
  });
  return { ...request, changes };
}

/**
 * The content with the word of the app's own rules on one document. Of a patch the last word alone is kept: it may be
 * asked about many documents, one after another.
 */
export function withVerdict(change: ReadyChange, verdict: Verdict): Pick<ReadyChange, 'content'> {
  const { content = NO_CONTENT } = change;
  const verdicts = change.patch ? [verdict] : [...content.verdicts, verdict];
  return { content: { ...content, verdicts } };
}

export const NO_CONTENT: Content = { sent: {}, problems: [], verdicts: [] };
