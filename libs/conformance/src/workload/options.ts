import type { Answer, Tenant } from '../history';

/** Data of a document; `{marker}` in any of its strings is replaced. */
export type Template = Readonly<Record<string, unknown>>;

export interface WorkloadCollection {
  readonly name: string;
  readonly template: Template;
  /** What its `_id` is: free text, or 24 hex digits. */
  readonly ids: 'text' | 'objectid';
  /** Where the server knows patches: what they may change besides the field with the marker. Missing: nothing. */
  readonly patch?: PatchFields;
}

/** Names or dotted paths of fields that the collection takes, outside of any list. */
export interface PatchFields {
  /** A number without an upper limit. */
  readonly count?: string;
  /** A list of texts, of at least ten. */
  readonly list?: string;
  /** A text that may be missing. */
  readonly optional?: string;
}

/** Scopes that identities are let into and put out of during the run. */
export interface Membership {
  /** Of nobody's own; empty at the beginning. */
  readonly scopes: readonly string[];
  /**
   * Lets the identity of this tenant's token into the scope, or puts it out, and has told the server so
   * (`sync.accessChanged`). A call that did not come to its end must not take effect after a later one.
   *
   * @returns 200 when that is done; null when it is not known. Never rejects
   */
  readonly set: (tenant: Tenant, scope: string, level: 'none' | 'write') => Promise<Answer>;
  /** Longest time in or out, in milliseconds. Default 8,000. */
  readonly longestMs?: number;
}

/** A route of the app that writes a document through SyncService. */
export interface AppWrite {
  readonly method: string;
  /** Begins with a slash. */
  readonly path: string;
  readonly body: Template;
}

export type Token = string | (() => string);

export interface WorkloadOptions {
  /** Base URLs of the server processes of one deployment, at least one. */
  readonly urls: readonly string[];
  /** Of the tenant under test. Its scope is written to. A function is asked before each request. */
  readonly token: Token;
  /** Of a tenant of another scope: without it nothing is said about isolation. */
  readonly otherToken?: Token;
  readonly collections: readonly WorkloadCollection[];
  readonly seed: number;
  /** How long writers write. What comes before and after is bounded too, by the limits below. */
  readonly seconds: number;
  /** Names the run inside ids and mutations; the same name again would meet its own receipts. Default: by chance. */
  readonly run?: string;
  /** Of the sync routes; default `sync`. */
  readonly prefix?: string;
  /** Default: `<prefix>/stream`. */
  readonly streamPath?: string;

  /** Devices that push, and pull now and then. Default 6. */
  readonly writers?: number;
  /** Devices that pull; every third begins with a full resync, every third sleeps between. Default 3. */
  readonly pullers?: number;
  /** Devices that stay on the stream. Default 2. */
  readonly listeners?: number;
  /** Devices that subscribe for moments, again and again. Default 6. */
  readonly briefListeners?: number;
  /** Sockets that do not read for seconds. Default 1. */
  readonly stalledSockets?: number;
  /** Largest push. Default 50. */
  readonly maxBatch?: number;
  /** A writer's mean pause between pushes, in milliseconds. Default 5. */
  readonly writerPauseMs?: number;
  readonly appWrite?: AppWrite;
  /** Needs `otherToken`: without it nothing is said of scopes that are lost. */
  readonly membership?: Membership;
  /** Flawed changes, to see them refused. Default true. */
  readonly flaws?: boolean;
  /** `limits.maxDocumentBytes` of the deployment. Default 1 MiB. */
  readonly maxDocumentBytes?: number;
  /** `limits.maxPushBytes` of the deployment. Default 8 MiB. */
  readonly maxPushBytes?: number;
  /** Writers stop there, so that the history fits into memory. Default 400,000. */
  readonly maxChanges?: number;
  /** Each writer stops after so many pushes, and when all have, the writing is over. Default: no limit. */
  readonly maxPushes?: number;

  /** How long an answer may take. Default 20,000. */
  readonly answerLimitMs?: number;
  /** A socket that is silent for this long is reopened. Default 65,000 (twice the server's ping). */
  readonly silenceLimitMs?: number;
  /** How long readers may take to reach the end. Default 20,000. */
  readonly settleMs?: number;
  /** How often the last readings and retries are tried before they are given up. Default 20. */
  readonly maxUnansweredRetries?: number;

  /** Faults are injected meanwhile: what only holds without faults is not judged then. Default false. */
  readonly disturbed?: boolean;
  /** For the report: what replays the run. */
  readonly command?: string;
  /** Called about four times per second. */
  readonly onProgress?: (progress: Progress) => void;
  /** Ends the writing early; the rest follows as after `seconds`. */
  readonly signal?: AbortSignal;
}

export type Phase = 'starting' | 'writing' | 'settling' | 'reading' | 'done';

export interface Progress {
  readonly phase: Phase;
  /** Of the writing; milliseconds. */
  readonly elapsedMs: number;
  readonly pushes: number;
  /** Sent, retries included. */
  readonly changes: number;
  readonly unanswered: number;
  /** Entries that readers saw, all together. */
  readonly seen: number;
  readonly subscriptions: number;
}
