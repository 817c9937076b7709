import type { VerifyProgress, VerifyReport } from '../verify/report';
import type { SyncHealth } from '../health/health';
import type { CollectionStatus } from '../admin/scope-status';

/** One page of a list. */
export interface AdminPage<Row> {
  readonly rows: readonly Row[];
  /** `cursor` of the next page; null: this is the last one. */
  readonly next: string | null;
}

/** A scope as its log stands. Times are ISO 8601 in UTC. */
export interface AdminScope {
  readonly scope: string;
  /** The newest version, and how many entries there ever were. */
  readonly head: string;
  readonly seq: number;
  /** Devices that stand below it load the scope again. */
  readonly floor: string;
  readonly floor_seq: number;
  /** Entries that a device can still go on from. */
  readonly entries: number;
  /** Entries below the floor that wait for their deletion. */
  readonly waiting: number;
  /** When the newest version was written. */
  readonly changed_at: string | null;
}

/** Who has a job of the cluster at the moment. */
export interface AdminLease {
  readonly held: boolean;
  /** Whether this process has it. */
  readonly here: boolean;
  readonly expires_at: string;
}

/** How the engine does in this process and in its database. */
export interface AdminStatus {
  readonly server_time: string;
  readonly versions: { readonly package: string; readonly wire: number; readonly node: string };
  readonly health: SyncHealth;
  /** Of this process. */
  readonly change_stream: { readonly alive: boolean; readonly reopened: number };
  readonly trimming: {
    /** 0: switched off in this process. */
    readonly interval_ms: number;
    /** 0: kept for ever. */
    readonly log_days: number;
    readonly max_entries: number | null;
    readonly receipt_days: number;
    readonly tombstone_days: number;
    readonly lease: AdminLease | null;
  };
  /** Null: no collection is captured. */
  readonly capture: {
    readonly collections: readonly string[];
    readonly lease: AdminLease | null;
    /** Everything that was written past the engine until then is recorded. */
    readonly recorded_up_to: string | null;
    readonly behind_ms: number | null;
  } | null;
  /** What this process notes for operators. */
  readonly register: {
    /** Devices that it remembers. */
    readonly devices: number;
    /** What found no room since the process has started. */
    readonly left_out: number;
  };
  readonly database: {
    readonly name: string;
    readonly collections: readonly CollectionStatus[];
    /** Collections and indexes that are not there. */
    readonly missing: readonly string[];
    readonly scopes: number;
  };
}

/** What `verify` says; unfinished where its time was over. */
export type AdminVerification =
  | { readonly finished: true; readonly report: VerifyReport }
  | { readonly finished: false; readonly progress: VerifyProgress };

/** How far a device is in one scope. */
export interface AdminDeviceScope {
  readonly scope: string;
  readonly seen_at: string;
  /** Up to where it was given the log; null: not known, since it has only pushed. */
  readonly version: string | null;
  readonly seq: number | null;
  /** Entries that it lacks; null: not known. */
  readonly behind: number | null;
  /** From the version that it has to the newest one; null: not known. */
  readonly behind_ms: number | null;
  /** Whether it has to load the scope again when it comes back; null: not known. */
  readonly will_reload: boolean | null;
}

/** A device as it was last noticed. */
export interface AdminDevice {
  /** The scope of its identity. */
  readonly scope: string;
  readonly actor: string;
  /** Its `client_id`; null: all devices of the actor that do not say it. */
  readonly client: string | null;
  /** The version of its data model, where it says so. */
  readonly client_schema: string | null;
  readonly first_seen_at: string;
  readonly seen_at: string;
  readonly push_at: string | null;
  readonly pull_at: string | null;
  readonly socket_at: string | null;
  /** Whether it has to load one of its scopes again. */
  readonly will_reload: boolean;
  readonly scopes: readonly AdminDeviceScope[];
}

/** A change that was refused. */
export interface AdminRefused {
  readonly id: string;
  readonly at: string;
  readonly scope: string;
  readonly actor: string;
  readonly client: string;
  readonly client_schema: string | null;
  readonly collection: string | null;
  readonly doc_id: string | number | null;
  readonly operation: string | null;
  readonly mutation_id: string | null;
  readonly code: string;
  readonly error: string | null;
  /** As it was sent, where that is kept. */
  readonly change?: Readonly<Record<string, unknown>>;
  /** What it was answered when an operator last applied it again. */
  readonly applied: { readonly at: string; readonly status: string; readonly code: string | null } | null;
}
