export type { AuthOptions, Identity } from './auth.ts';
export { createSyncClient, SyncClient, type LogoutOptions } from './client.ts';
export {
  Collection,
  collection,
  CollectionWriter,
  type CollectionDefinition,
  type CollectionPorts,
  type DataOf,
  type Definitions,
  type DocumentOf,
  type Edited,
  type RawEdit,
  type UpsertOptions,
  type Writer,
} from './collection.ts';
export type { DocumentSync } from './document-state.ts';
export type {
  Abort,
  ClientSocket,
  Environment,
  Fetch,
  FetchAnswer,
  TabChannel,
  Tabs,
} from './environment.ts';
export * from './errors.ts';
export { add, inc, remove, unset, type Fields, type Operation } from './fields-of.ts';
export type { LiveRows } from './live-query.ts';
export { memory } from './memory.ts';
export type { Observable } from './observable.ts';
export type { BackoffOptions, ClientLimits, SyncClientOptions, Tuning } from './options.ts';
export { Rejected } from './rejected.ts';
export type { Change, Mutation, RefusedChange, RefusedEntry, WireChange } from './rules/mutation.ts';
export type { Order, Query, Range, Row, Where } from './rules/query.ts';
export type { BlockedBy, Phase } from './rules/reader-state.ts';
export type { AccessLost } from './rules/rights.ts';
export { ScopeClient, type ClientEvents, type ScopeClientPorts } from './scope-client.ts';
export type { Status } from './status.ts';
export type { InputOf, OutputOf, SchemaResult, StandardSchema } from './standard-schema.ts';
export * from './storage.ts';
export type { Tell, TelemetryEvent, TokenReason } from './telemetry.ts';
export type { TransactionOf } from './transaction.ts';
export type { Conflict, Settlement } from './outcome.ts';
