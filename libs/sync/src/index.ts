/** The whole public API of the package. What is not here may change without notice. */

// The module and what its options are made of.
export { InjectSync, SyncModule } from './sync.module';
export type { SyncOptionsFactory } from './sync.module-definition';
export type {
  IdValue,
  Port,
  SyncCollectionOptions,
  SyncJwtOptions,
  SyncLimits,
  SyncModuleExtras,
  SyncOptions,
  SyncRequest,
} from './sync.options';
export { getSyncToken } from './sync.connection-tokens';
export { SYNC_CONNECTION, SYNC_EXTRAS, SYNC_METRICS, SYNC_OPTIONS, SYNC_SETTINGS } from './sync.tokens';
export type { SyncExtras } from './sync.extras';
export type { SyncSettings } from './sync.settings';

// What the app's own providers inject.
export { SyncService } from './sync.service';
export { HlcService } from './hlc/hlc.service';
export { WallClock } from './hlc/wall-clock.service';
export { CollectionRegistry } from './collections/collection-registry.service';
export { SyncHealthIndicator } from './health/sync-health.service';
export { IdentityService } from './identity/identity.service';

// The app's own writes.
export { SyncTransaction, type TransactionWriteOptions } from './writes/sync-transaction.service';
export type { SyncTransactionOptions } from './writes/transactions.service';
export type { AppDocId } from './writes/target';
export type { MetadataOptions, ServerChangeRecord, SyncMetadata } from './writes/record.service';
export type { MovedChange, WrittenChange } from './writes/scope-writer.service';

// What the app's own routes use.
export { SyncGuard, SyncUser } from './identity/sync.guard';
export { identityOf } from './identity/request-identity';
export { SyncErrorFilter } from './http/sync-error.filter';
export type { AllowedOrigins, OriginRule } from './identity/origins';
export type { SyncIdentity } from './identity/identity';

// Errors.
export {
  ERROR_CODES,
  errorBody,
  SyncError,
  type ErrorBody,
  type ErrorCode,
  type Rejection,
  type SyncErrorOptions,
} from './protocol/errors';

// Ports: what the app may decide.
export {
  DocumentTransform,
  SyncAuthorizer,
  type CollectionAction,
  type DocumentTransformFunction,
  type SyncAuthorizerFunction,
} from './collections/ports';
export {
  CONFLICT_STRATEGIES,
  ConflictResolver,
  DELETE_UPDATE_POLICIES,
  type Conflict,
  type ConflictResolverFunction,
  type ConflictStrategy,
  type DeleteUpdatePolicy,
} from './conflict/conflict';
export { NoMetrics, SyncMetrics } from './metrics/metrics';

// What travels.
export type { DocId, LogChange, Operation } from './protocol/change';
export type { Json, JsonObject } from './protocol/json';
export type {
  Atomicity,
  PushChange,
  PushRequest,
  PushResponse,
  PushResult,
  ServerDocument,
} from './protocol/push';
export {
  FullResyncRequired,
  PullPage,
  type PullAnswer,
  type PullRequest,
  type ResyncReason,
} from './protocol/pull';
export type { FullEnd, FullLine, FullRequest } from './protocol/full';
export type { FullPage } from './full/full.service';
export { STREAM_CLOSE, type StreamClose, type SubscribeMessage } from './protocol/stream';
export type { StreamEntry, StreamMessage, StreamResync } from './stream/stream-entry';
export type { StreamRequest } from './stream/stream.service';
export type { StreamSubscription } from './stream/stream-subscription.service';

// The clock as plain values.
export { compareHlc, formatHlc, parseHlc, ZERO_VERSION, type Hlc } from './hlc/hlc';

// How synced documents look in the database, for the app's own queries and indexes.
export { SYNC_FIELDS } from './collections/stored-document';
export { hideTombstones } from './collections/hide-tombstones.schema';
export { RECOMMENDED_DRIVER_TIMES, type DriverTimes } from './oplog/driver-advice';
export type { ChangeStreamState, SyncHealth } from './health/health';

// Mentioned by the types above, so that an app's declarations can name them. Their members may change.
export type {
  CollectionRules,
  IdCodec,
  Prepared,
  StoredDocument,
  StoredId,
  Checked,
  DocumentIds,
  SyncedCollection,
} from './collections/collection';
export type {
  Content,
  DocumentForm,
  Problem,
  SchemaRules,
  Settled,
  Verdict,
} from './collections/document-form';
export type { FieldFacts } from './collections/field-facts';
export type { StartedLines } from './full/started-lines';
export type { ParsedChange } from './protocol/push';
export type { PulledEntry } from './protocol/pull';
export type { LiveEntry, LogPosition } from './stream/stream-entry';
