/**
 * What a checker did to a deployment and what it saw, over the public wire only. The workload writes it, the oracle
 * reads it; nothing of the server's code is known to either.
 *
 * Times are milliseconds since the run began, of the checker's own monotonic clock.
 */
export interface History {
  /** Replays the same requests. */
  readonly seed: number;
  /** In the order in which the checker came to know them. */
  readonly events: readonly HistoryEvent[];
}

export type HistoryEvent =
  PushEvent | PullEvent | StreamEvent | FullEvent | AppWriteEvent | ProbeEvent | LeakEvent;

/** `main` is the tenant under test; `other` must never learn of it, nor it of `other`. */
export type Tenant = 'main' | 'other';

/** `null`: no answer came (connection cut, time out), so nothing is known of the effect. */
export type Answer = {
  readonly status: number;
  /** `code` of an error answer. */
  readonly code: string | null;
} | null;

export interface PushEvent {
  readonly kind: 'push';
  /** Unique in the history. A retry is an event of its own, with the same mutations. */
  readonly id: number;
  readonly tenant: Tenant;
  readonly client: string;
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
  readonly operation: 'upsert' | 'delete';
  readonly mutation: string | null;
  readonly parent: string | null;
  /** The edit stamp, when one was sent. */
  readonly hlc: string | null;
  /** Text inside the data that no other mutation of the run has; null for a delete. */
  readonly marker: string | null;
  /** What the checker made wrong about it on purpose; null for a change that should be taken. */
  readonly flaw: Flaw | null;
}

export type Flaw = 'shape' | 'clock-ahead' | 'unknown-collection' | 'too-large';

export interface ChangeResult {
  readonly docId: string | null;
  readonly status: string;
  readonly newVersion: string | null;
  readonly serverVersion: string | null;
  readonly code: string | null;
  readonly replayed: boolean;
  /** Of `server_document`, when there was one. */
  readonly serverDocument: { readonly version: string; readonly deleted: boolean } | null;
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
}

export interface PullEvent {
  readonly kind: 'pull';
  /** A reader keeps its own cursor from pull to pull. `final…` readers read at the end, from the beginning. */
  readonly reader: string;
  readonly tenant: Tenant;
  readonly since: string | null;
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

export interface StreamEvent {
  readonly kind: 'stream';
  readonly reader: string;
  readonly tenant: Tenant;
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
    | { readonly is: 'closed'; readonly code: number };
}

export interface FullEvent {
  readonly kind: 'full';
  readonly reader: string;
  readonly tenant: Tenant;
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly answer: Answer;
  /** All pages; null when one of them failed. */
  readonly rows: readonly FullRow[] | null;
  readonly lastSeq: string | null;
}

export interface FullRow {
  readonly collection: string;
  readonly docId: string;
  readonly deleted: boolean;
  readonly version: string | null;
  readonly digest: string | null;
  readonly marker: string | null;
}

/** A write of the app's own service, asked for over a route of the app. */
export interface AppWriteEvent {
  readonly kind: 'app-write';
  readonly tenant: Tenant;
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly answer: Answer;
  readonly marker: string;
}

/** A request that must be refused, or bounded, in a known way. */
export interface ProbeEvent {
  readonly kind: 'probe';
  readonly probe: Probe;
  readonly at: number;
  readonly answer: Answer;
  /** What was sent and what came back, in a few words; no token, no document. */
  readonly detail: string;
}

export type Probe =
  /** Pull, push, full resync and socket without a token, and with a forged one. */
  | 'without-token'
  | 'forged-token'
  /** A well-formed stamp that this scope never wrote, as a cursor. */
  | 'unknown-cursor'
  | 'malformed-cursor'
  /** More changes, more bytes, a larger limit than any deployment may take. */
  | 'too-many-changes'
  | 'too-large'
  | 'limit-out-of-range'
  | 'malformed-body';

/** Bytes that one tenant received held a secret of the other. */
export interface LeakEvent {
  readonly kind: 'leak';
  readonly to: Tenant;
  readonly at: number;
  /** Which request or message it was. */
  readonly where: string;
}
