/** The whole public API of the package. What is not here may change without notice. */

// The module and what its options are made of.
export { InjectSync, SyncModule } from './sync.module';
export { SyncAdminModule, type SyncAdminOptionsFactory } from './sync-admin.module';
export type { SyncAdminExtras, SyncAdminOptions } from './options/admin-options';
export type {
  AdminDevice,
  AdminDeviceScope,
  AdminRefused,
  AdminLease,
  AdminPage,
  AdminScope,
  AdminStatus,
  AdminVerification,
} from './operator/answers';
export type { CollectionStatus } from './admin/scope-status';
export type { SyncOptionsFactory } from './options/module-definition';
export type {
  Bypass,
  ClientSchemaFunction,
  ClientSchemaRefusal,
  IdValue,
  Port,
  SyncCollectionOptions,
  SyncJwtOptions,
  SyncLimits,
  SyncModuleExtras,
  SyncOptions,
  SyncRequest,
} from './options/sync.options';
export {
  getSyncToken,
  SYNC_CONNECTION,
  SYNC_EXTRAS,
  SYNC_METRICS,
  SYNC_OPTIONS,
  SYNC_SETTINGS,
} from './options/tokens';
export { OPTION_TABLE } from './options/table';
export type { OptionKind, OptionPath, OptionRow, OptionSection } from './options/table';
export type { SyncExtras } from './options/extras';
export type { OfKind, Rows, SettingName, SyncSettings, WithDefault } from './options/settings';

// What the app's own providers inject.
export { SyncService } from './sync.service';
export { SyncAdminService } from './admin/admin.service';
export type { AdoptOptions, RevertOptions, VerifyOptions } from './admin/admin.service';
export type { AdoptProgress, AdoptReport } from './admin/adoption';
export type { RefusedDocuments } from './admin/refusals';
export type { RevertReport } from './admin/reversal';
export type { DifferenceKind } from './verify/difference';
export type { LogFault } from './verify/log-run';
export type { Comparison, Difference, FaultyLog, VerifyProgress, VerifyReport } from './verify/report';
export type { Tally } from './verify/comparison';
export type { UnscopedDocuments } from './verify/unscoped';
export { HlcService } from './clock/hlc-service';
export { WallClock } from './clock/wall-clock';
export { CollectionRegistry } from './collections/collection-registry';
export { SyncHealthIndicator } from './health/sync-health';
export { IdentityService } from './identity/identity.service';

// The app's own writes.
export type { DocumentPatch } from './app-writes/app-patch';
export { SyncTransaction, type TransactionWriteOptions } from './app-writes/sync-transaction';
export type { SyncTransactionOptions } from './app-writes/transactions';
export type { AppDocId } from './app-writes/target';
export type { MetadataOptions, ServerChangeRecord, SyncMetadata } from './app-writes/record';
export type { MovedChange, WrittenChange } from './app-writes/scope-writer';

// What the app's own routes use.
export { SyncGuard, SyncUser } from './identity/sync.guard';
export { identityOf } from './identity/sync.guard';
export { describeSyncRoutes, type OpenApiDocument } from './http/openapi';
export { SyncErrorFilter } from './http/sync-error.filter';
export type { AllowedOrigins, OriginRule } from './options/sync.options';
export type { SyncIdentity } from './identity/identity';
export { ACCESS_LEVELS, SyncScopes, type AccessLevel, type Answer, type ScopesPort } from './identity/scopes';

// Errors.
export {
  ERROR_CODES,
  errorBody,
  SyncError,
  type ErrorBody,
  type ErrorCode,
  type Rejection,
  type SyncErrorOptions,
} from 'nest-offline-sync-protocol';

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
} from './plan/conflict';
export { NoMetrics, SyncMetrics } from './metrics/metrics';

// What travels.
export type {
  Atomicity,
  ByPath,
  CollectionDigest,
  Cursor,
  DigestAnswer,
  DigestPart,
  DigestRequest,
  DocId,
  DocumentPiece,
  DocumentsAnswer,
  DocumentsRequest,
  Envelope,
  EnvelopeFields,
  FirstAnswer,
  FullEnd,
  FullLine,
  FullRequest,
  FullResyncResponse,
  HttpDocumentOptions,
  InfoCollection,
  InfoLimits,
  InfoRequest,
  InfoStream,
  Json,
  JsonObject,
  LogChange,
  LogOperation,
  Operation,
  ParsedChange,
  PatchBody,
  Position,
  PullPageResponse,
  PullRequest,
  PushChange,
  PushRequest,
  PushResponse,
  PushResult,
  ResyncReason,
  ServerDocument,
  PushId,
  PushMessage,
  ScopeEntry,
  ScopesAnswer,
  SocketDocumentOptions,
  StreamClose,
  SubscribeMessage,
  SyncInfo,
  WireFeature,
} from 'nest-offline-sync-protocol';
export {
  MAX_DOCUMENT_IDS,
  httpDocument,
  socketDocument,
  STREAM_CLOSE,
  WIRE_FEATURES,
  WIRE_VERSION,
} from 'nest-offline-sync-protocol';
export { FullResyncRequired, PullPage, type PullAnswer } from './pull/page';
export type { FullPage } from './full/full.service';
export type { StreamChange } from './log/entry';
export type { StreamResync } from './stream/backlog';
export type { StreamRequest } from './stream/stream.service';
export type { StreamMessage, StreamScopeLost, StreamSubscription } from './stream/stream-subscription';

// The clock as plain values.
export { compareHlc, formatHlc, parseHlc, ZERO_VERSION, type Hlc } from 'nest-offline-sync-protocol';

// How synced documents look in the database, for the app's own queries and indexes.
export { SYNC_FIELDS } from './codec/stored-document';
export { hideTombstones } from './collections/hide-tombstones';
export { RECOMMENDED_DRIVER_TIMES, type DriverTimes } from './database/deployment';
export type { ChangeStreamState, SyncHealth } from './health/health';

// Mentioned by the types above, so that an app's declarations can name them. Their members may change.
export type { IdCodec } from './codec/id-codec';
export type { StoredDocument, StoredId } from './codec/stored-document';
export type { Prepared, SyncedCollection } from './collections/collection';
export type { CheckedPatch } from './collections/patch-rules';
export type { CaptureRules, CollectionRules, DocumentLimits } from './plan/conflict';
export type { PatchPreparation } from './plan/plan';
export type {
  CastOutcome,
  Content,
  DocumentForm,
  Problem,
  SchemaRules,
  Settled,
  Verdict,
  Checked,
  DocumentIds,
} from './plan/document-form';
export type { Trace } from './plan/composition';
export type { FieldFacts } from './plan/field-facts';
export type { StartedLines } from './full/lines';
export type { LogEntry } from './log/entry';
