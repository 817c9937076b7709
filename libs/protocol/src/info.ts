import type { EnvelopeFields } from './envelope.ts';

/**
 * GET info: what a client has to know about this server before it relies on it. The answer is for the identity that asks:
 * it names the collections that this one may read.
 */
export type InfoRequest = EnvelopeFields;

/** The version of the wire. It only rises when a client of before would no longer understand the server. */
export const WIRE_VERSION = 1;

/**
 * What this server's wire has beyond its first version, one name each: a client looks here before it uses it. A name is
 * never taken away and never changes its meaning.
 */
export const WIRE_FEATURES = [
  /** GET info. */
  'info',
  /** GET documents. */
  'documents',
  /** `server_time` in push answers, pings and info. */
  'server_time',
  /** `client_schema` in requests, and the refusal `client_outdated`. */
  'client_schema',
  /** Refusals of the body parser have the shape of all others; `limit` in those that are about size. */
  'error_limit',
  /** Several scopes for one identity: GET scopes, and `scope` in requests. */
  'scopes',
  /** Pushes over the socket. */
  'socket_push',
  /** `operation: "patch"`. */
  'patch',
  /** `parent_mutation_id` in changes. */
  'parent_mutation',
  /** `client_id` and `mutation_id` in the entries of the log. */
  'echo',
  /** `return: "document"` in changes, and `changed` in answers. */
  'return_document',
  /** `group` in changes: those of one group stand or fall together. */
  'groups',
  /** `X-Sync-Identity` in answers, and `expected_identity` in requests. */
  'identity',
  /** `since_seq` in pulls and subscriptions. */
  'since_seq',
  /** GET digest. */
  'digest',
] as const;
export type WireFeature = (typeof WIRE_FEATURES)[number];

export interface SyncInfo {
  /** The clock that stamps are judged by, ISO 8601 in UTC. */
  readonly server_time: string;
  readonly versions: {
    /** Of the server's package. */
    readonly package: string;
    /** {@link WIRE_VERSION} of the server. */
    readonly wire: number;
  };
  readonly features: readonly string[];
  readonly limits: InfoLimits;
  /** What holds for a push that does not say `atomic`. */
  readonly default_atomic: 'batch' | 'mutation';
  /** Null without a socket. */
  readonly stream: InfoStream | null;
  readonly retention: {
    /** Days that the log is kept; 0: for ever. Older cursors get `full_resync_required`. */
    readonly log_days: number;
    /** Days that receipts outlive the log. */
    readonly receipt_days: number;
    /** Days that tombstones are kept, and at least as long as the log; 0: for ever. */
    readonly tombstone_days: number;
  };
  /** Those that this identity may read, in the order of the server's options. */
  readonly collections: readonly InfoCollection[];
}

/** Bytes, counts and milliseconds: see the table of limits in docs/protocol.md. */
export interface InfoLimits {
  readonly max_changes: number;
  readonly max_push_bytes: number;
  readonly max_document_bytes: number;
  readonly max_depth: number;
  readonly max_socket_message_bytes: number;
  readonly default_pull_limit: number;
  readonly max_pull_limit: number;
  readonly default_full_limit: number;
  readonly max_full_limit: number;
  readonly max_document_ids: number;
  readonly max_subscriptions: number;
  readonly max_drift_ms: number;
}

export interface InfoStream {
  readonly ping_interval_ms: number;
  readonly subscribe_timeout_ms: number;
}

export interface InfoCollection {
  readonly name: string;
  /** A strategy of docs/protocol.md, or `custom`: a resolver of the app. */
  readonly conflict: string;
  readonly delete_policy: string;
  readonly full_resync: boolean;
  readonly ids: 'global' | 'scoped';
}
