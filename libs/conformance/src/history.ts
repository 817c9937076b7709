/**
 * What a checker did to a deployment and what it saw, over the public API only. The workload writes it, the oracle
 * reads it; neither knows anything of the server's code.
 *
 * Times are milliseconds since the run began, of the checker's own monotonic clock.
 */
export interface History {
  /** Replays the same requests. */
  readonly seed: number;
  /** In the order in which the checker came to know them. */
  readonly events: readonly HistoryEvent[];
  /** For invariant 8; without it the versions' time is not judged. */
  readonly clock?: {
    /** The checker's wall clock when the run began, in milliseconds since 1970. */
    readonly startedAt: number;
    /** How far the `Date` header of the first answer was ahead of that clock, in milliseconds; null: no header. */
    readonly serverAhead: number | null;
  };
  /**
   * Whether servers or database were disturbed on purpose during the run. Then a pull may for a moment not show what
   * was just answered (a primary that does not yet know that it has been replaced), which is otherwise judged.
   */
  readonly disturbed?: boolean;
  /** The command that replays the run, for the report. */
  readonly command?: string;
  /** What the server says that its wire has; missing: nothing beyond the first version. */
  readonly features?: readonly string[];
}

export type HistoryEvent =
  | PushEvent
  | PullEvent
  | StreamEvent
  | FullEvent
  | DigestEvent
  | AppWriteEvent
  | AccessEvent
  | ProbeEvent
  | LeakEvent
  | StrayEvent;

/** `main` is the tenant under test; `other` must never learn of it, nor it of `other`. */
export type Tenant = 'main' | 'other';

/** Of which log an event is. */
interface InScope {
  readonly tenant: Tenant;
  /** A scope that the tenant's identity names; missing: its own. Two tenants that name the same share its log. */
  readonly scope?: string;
}

/** `null`: no answer came (connection cut, time out), so nothing is known of the effect. */
export type Answer = {
  readonly status: number;
  /** `code` of an error answer. */
  readonly code: string | null;
} | null;

export interface PushEvent extends InScope {
  readonly kind: 'push';
  /** Unique in the history. A retry is a separate event, with the same mutations. */
  readonly id: number;
  readonly client: string;
  /** Missing: over HTTP. Of a refusal over the socket, the status is the one that HTTP has for its code. */
  readonly via?: 'socket';
  readonly atomic: 'batch' | 'mutation';
  readonly sentAt: number;
  /** When the answer came, or was given up. */
  readonly answeredAt: number;
  readonly answer: Answer;
  readonly changes: readonly SentChange[];
  /** One a change when the status was 200, else null. */
  readonly results: readonly ChangeResult[] | null;
}

export interface SentChange {
  readonly collection: string;
  readonly docId: string;
  readonly operation: 'upsert' | 'patch' | 'delete';
  readonly mutation: string | null;
  readonly parent: string | null;
  /** The client's own earlier mutation that it says it builds on; missing: none. */
  readonly parentMutation?: string;
  /** The edit stamp, when one was sent. */
  readonly hlc: string | null;
  /** Text inside the data that no other mutation of the run has; null for a delete. */
  readonly marker: string | null;
  /** What the checker made wrong about it on purpose; null for a change that should be accepted. */
  readonly flaw: Flaw | null;
  /** The group of its push that it stands or falls with; missing: none. */
  readonly group?: string | undefined;
  /** What a patch does besides setting the field with the marker (where it has one); missing: nothing. */
  readonly patch?: SentPatch;
  /** Whether the answer is to show the document, with `accepted` too. */
  readonly returns?: boolean;
}

/** In the fields that the run's collection has for it. */
export interface SentPatch {
  /** Added to the number; 0: nothing is. */
  readonly inc: number;
  readonly add: readonly string[];
  readonly remove: readonly string[];
  /** Set to this text; null: removed; missing: not named. */
  readonly optional?: string | null;
}

export type Flaw = 'shape' | 'clock-ahead' | 'unknown-collection' | 'too-large' | 'bad-patch';

export interface ChangeResult {
  readonly docId: string | null;
  readonly status: string;
  readonly newVersion: string | null;
  readonly serverVersion: string | null;
  readonly code: string | null;
  readonly replayed: boolean;
  /** Whether `error` held a text; missing: not recorded. */
  readonly explained?: boolean;
  /** Of `server_document`, when there was one. */
  readonly serverDocument: {
    readonly version: string;
    readonly deleted: boolean;
    /** As that of an entry. */
    readonly digest?: string | null;
  } | null;
  /** Of the entry that this change wrote; null: it wrote none, or the server does not say it. */
  readonly seq?: number | null;
}

/** One log entry as a reader got it. */
export interface Seen {
  readonly version: string;
  readonly seq: number;
  readonly collection: string;
  readonly docId: string;
  readonly operation: string;
  /** The marker found in `data`, or null (a delete, or a write that is not the checker's). */
  readonly marker: string | null;
  /** Of `data` with its keys sorted; null for a delete. */
  readonly digest: string | null;
  /** Who pushed it and under which id; missing: the entry does not say. */
  readonly client?: string;
  readonly mutation?: string;
  /** The fields that patches change; missing: the collection has none, or it is a delete. */
  readonly fields?: PatchedFields;
  /** `doc_id` was a number. */
  readonly numericId?: true;
}

/** Of a document, as far as the run's collection has such fields; null: not there, or of another type. */
export interface PatchedFields {
  readonly count: number | null;
  readonly list: readonly string[] | null;
  readonly optional: string | null;
}

export interface PullEvent extends InScope {
  readonly kind: 'pull';
  /** A reader keeps its own cursor from pull to pull. `final…` readers read at the end, from the beginning. */
  readonly reader: string;
  readonly since: string | null;
  /** The cursor was sent as its seq, not as `since`. */
  readonly bySeq?: true;
  /** null: all. */
  readonly collections: readonly string[] | null;
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly answer: Answer;
  readonly page:
    | {
        readonly changes: readonly Seen[];
        readonly lastSeq: string;
        readonly seq: number;
        readonly hasMore: boolean;
      }
    | { readonly resync: string }
    | null;
}

export interface StreamEvent extends InScope {
  readonly kind: 'stream';
  readonly reader: string;
  /** Counts the reader's connections. */
  readonly connection: number;
  readonly at: number;
  readonly what:
    | {
        readonly is: 'subscribed';
        readonly since: string | null;
        readonly collections: readonly string[] | null;
      }
    | { readonly is: 'entry'; readonly entry: Seen }
    | { readonly is: 'ping'; readonly lastSeq: string | null }
    | { readonly is: 'resync'; readonly reason: string }
    | { readonly is: 'error'; readonly code: string }
    /** The scope may not be used any more: nothing of it may follow on this socket until it is subscribed to again. */
    | { readonly is: 'lost' }
    /**
     * Not recorded when the checker itself closes at the end of the run, after it has waited for what is still to
     * come: a reader whose last event is not one of `resync`, `error`, `lost`, `closed`, `stalled` must have got everything that
     * was acknowledged. When the checker closes in mid-run, it is recorded.
     */
    | { readonly is: 'closed'; readonly code: number }
    /** The reader stops reading from its socket, on purpose, and then continues. The others must not notice. */
    | { readonly is: 'stalled' }
    | { readonly is: 'resumed' };
}

export interface FullEvent extends InScope {
  readonly kind: 'full';
  readonly reader: string;
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly answer: Answer;
  /** All pages; null when one of them failed. */
  readonly rows: readonly FullRow[] | null;
  readonly lastSeq: string | null;
  /** `lastSeq` as an integer; null or missing: the server does not say it. */
  readonly seq?: number | null;
}

export interface FullRow {
  readonly collection: string;
  readonly docId: string;
  readonly deleted: boolean;
  readonly version: string | null;
  readonly digest: string | null;
  readonly marker: string | null;
  readonly fields?: PatchedFields;
  readonly numericId?: true;
}

/** What the server says that a scope has at one moment. */
export interface DigestEvent extends InScope {
  readonly kind: 'digest';
  readonly reader: string;
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly answer: Answer;
  readonly lastSeq: string | null;
  /** Tombstones up to this version are not counted; null or missing: all are. */
  readonly tombstoneFloor?: string | null;
  /** Null when the answer was none. */
  readonly collections: readonly DigestOfCollection[] | null;
}

export interface DigestOfCollection {
  readonly collection: string;
  readonly live: DigestPart;
  readonly deleted: DigestPart;
}

export interface DigestPart {
  readonly count: number;
  /** 32 hex digits. */
  readonly hash: string;
}

/** A write of the app's own service, requested over a route of the app. */
export interface AppWriteEvent extends InScope {
  readonly kind: 'app-write';
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly answer: Answer;
  readonly marker: string;
}

/** The app gave a tenant's identity a scope, or took it away. */
export interface AccessEvent {
  readonly kind: 'access';
  readonly tenant: Tenant;
  readonly scope: string;
  readonly level: 'none' | 'write';
  readonly sentAt: number;
  readonly answeredAt: number;
  /** Another status than 200: whether it was done is not known. */
  readonly answer: Answer;
}

/** A request that must be refused, or bounded, in a known way. */
export interface ProbeEvent {
  readonly kind: 'probe';
  readonly probe: Probe;
  readonly at: number;
  /**
   * Over HTTP: status and `code`. A pull that is answered with `full_resync_required` has status 200 and that as its
   * code. Over a socket: the close code as status, and the code of the `error` message; `full_resync_required` is
   * 1000 with that as its code.
   */
  readonly answer: Answer;
  /** What was sent and what came back, in a few words; no token, no document. */
  readonly detail: string;
  /** Of `socket-push`: how HTTP refused the same. */
  readonly expected?: Answer;
}

export type Probe =
  /** Pull, push, full resync and socket without a token, and with a forged one. */
  | 'without-token'
  | 'forged-token'
  /** Pull, push, full resync and socket that name the scope of the other tenant. */
  | 'foreign-scope'
  /** A well-formed stamp that this scope never wrote, as a cursor. */
  | 'unknown-cursor'
  | 'malformed-cursor'
  /** More changes, more bytes, a larger limit than any deployment may take. */
  | 'too-many-changes'
  | 'too-large'
  | 'limit-out-of-range'
  | 'malformed-body'
  /** A push over the socket that HTTP refuses as a whole: the code is the same. */
  | 'socket-push';

/** Bytes that one tenant received held a secret of the other. */
export interface LeakEvent {
  readonly kind: 'leak';
  readonly to: Tenant;
  readonly at: number;
  /** Which request or message it was. */
  readonly where: string;
}

/** Something came over a socket that nothing had asked for, such as a second answer to a push. */
export interface StrayEvent {
  readonly kind: 'stray';
  readonly tenant: Tenant;
  readonly at: number;
  readonly what: string;
}
