import {
  ConfigurableModuleBuilder,
  Controller,
  VERSION_NEUTRAL,
  type DynamicModule,
  type Provider,
  type Type,
} from '@nestjs/common';
import { getConnectionToken } from '@nestjs/mongoose';
import type { Connection } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { CollectionRegistry } from '../collections/collection-registry';
import { PortResolver } from '../collections/port-resolver';
import { DigestService } from '../full/digest.service';
import { DocumentsService } from '../full/documents.service';
import { FullService } from '../full/full.service';
import { SyncHealthIndicator } from '../health/sync-health';
import { HlcService } from '../clock/hlc-service';
import { WallClock } from '../clock/wall-clock';
import { ParserErrors } from '../http/parser-errors';
import { LastAnswers, SyncController } from '../http/sync.controller';
import { Fingerprints } from '../identity/fingerprints';
import { Admission } from '../identity/admission';
import { ClientSchemas } from '../identity/client-schemas';
import { IdentityService } from '../identity/identity.service';
import { ScopeAccess } from '../identity/scope-access';
import { InfoService } from '../info/info.service';
import { SocketDoor } from '../identity/socket-door';
import { SyncGuard } from '../identity/sync.guard';
import { provideMetrics } from '../metrics/prom-metrics';
import { EngineSessions } from '../cluster/engine-sessions';
import { OplogSetupService } from '../database/setup';
import { OplogRepository } from '../log/oplog';
import { Register } from '../register/register';
import { TrimmingService } from '../retention/trimming';
import { PullService } from '../pull/pull.service';
import { Committer } from '../commit/committer';
import { FairTurns } from '../cluster/fair-turns';
import { PlanWriter } from '../commit/plan-writer';
import { Sieve } from '../commit/sieve';
import { TakenValues } from '../commit/taken-values';
import { PushQueue } from '../push/queue';
import { PushAnswers } from '../push/answers';
import { PushIntake } from '../push/intake';
import { PushService } from '../push/push.service';
import { ResolverService } from '../push/resolver';
import { SnapshotRepository } from '../commit/snapshot';
import { ChangeStreamHub } from '../stream/change-stream-hub';
import { ScopeWatches } from '../stream/scope-watches';
import { StreamService } from '../stream/stream.service';
import { checkOptions, EXTRA_DEFAULTS, resolveExtras, type SyncExtras } from './extras';
import type { SyncModuleExtras, SyncOptions } from './sync.options';
import { SyncService } from '../sync.service';
import { resolveSettings } from './settings';
import {
  getOperatorToken,
  getRegistryToken,
  getSyncToken,
  SYNC_CONNECTION,
  SYNC_CONTROLLER,
  SYNC_EXTRAS,
  SYNC_METRICS,
  SYNC_OPTIONS,
  SYNC_SETTINGS,
} from './tokens';
import { ServerChanges } from '../app-writes/record';
import { OrdinaryWrites } from '../app-writes/ordinary-writes';
import { ScopeHeads } from '../app-writes/scope-heads';
import { ScopeWriter } from '../app-writes/scope-writer';
import { TransactionRunner } from '../app-writes/transaction-runner';
import { Transactions } from '../app-writes/transactions';
import { WriteWatch } from '../bypass/write-watch';
import { SyncAdminService } from '../admin/admin.service';
import { ScopeFloors } from '../admin/scope-floors';
import { Devices } from '../operator/devices';
import { RefusedChanges } from '../operator/refused-changes';
import { OperatorService } from '../operator/operator.service';
import { SystemStatus } from '../operator/system-status';
import { CaptureService } from '../capture/capture.service';
import { Observation } from '../capture/observation';
import { Repairs } from '../verify/repairs';
import { SyncGateway } from '../ws/sync.gateway';

/** What the host gave or its factory returned, before anybody has looked at it. */
const GIVEN_OPTIONS = Symbol('nest-offline-sync:given-options');

/** For `useClass` and `useExisting` of forRootAsync. */
export interface SyncOptionsFactory {
  createSyncOptions(): SyncOptions | Promise<SyncOptions>;
}

export const { ConfigurableModuleClass, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<SyncOptions>({ optionsInjectionToken: GIVEN_OPTIONS })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createSyncOptions')
    .setExtras<SyncModuleExtras>({ ...EXTRA_DEFAULTS }, (definition, extras) =>
      complete(definition, resolveExtras(extras)),
    )
    .build();

/** Whatever must be known before DI has its effect here: routes, visibility, the connection. */
function complete(definition: DynamicModule, extras: SyncExtras): DynamicModule {
  const controller = controllerAt(extras.prefix);
  return {
    ...definition,
    global: extras.isGlobal,
    providers: [
      ...(definition.providers ?? []),
      ...configured(extras),
      { provide: SYNC_CONTROLLER, useValue: controller },
      ...SERVICES,
      ...(extras.http ? [LastAnswers, ParserErrors] : []),
      ...(extras.stream ? [SyncGateway] : []),
    ],
    controllers: extras.http ? [controller] : [],
    exports: [
      SyncService,
      SyncAdminService,
      HlcService,
      CollectionRegistry,
      IdentityService,
      SyncGuard,
      SyncHealthIndicator,
      getSyncToken(extras.connectionName),
      getRegistryToken(extras.connectionName),
      getOperatorToken(extras.connectionName),
    ],
  };
}

function configured(extras: SyncExtras): Provider[] {
  const { connectionName } = extras;
  return [
    { provide: SYNC_EXTRAS, useValue: extras },
    {
      provide: SYNC_OPTIONS,
      inject: [GIVEN_OPTIONS],
      useFactory: (given: unknown): SyncOptions => {
        checkOptions(given);
        return given;
      },
    },
    { provide: SYNC_SETTINGS, inject: [SYNC_OPTIONS], useFactory: resolveSettings },
    { provide: SYNC_METRICS, inject: [SYNC_OPTIONS, SYNC_SETTINGS], useFactory: provideMetrics },
    {
      provide: SYNC_CONNECTION,
      inject: [{ token: getConnectionToken(connectionName), optional: true }],
      useFactory: (connection: Connection | undefined) => present(connection, connectionName),
    },
    { provide: getSyncToken(connectionName), useExisting: SyncService },
    { provide: getRegistryToken(connectionName), useExisting: CollectionRegistry },
    { provide: getOperatorToken(connectionName), useExisting: OperatorService },
  ];
}

const SERVICES: Provider[] = [
  WallClock,
  HlcService,
  OplogRepository,
  EngineSessions,
  Register,
  OplogSetupService,
  TrimmingService,
  PortResolver,
  ScopeAccess,
  Fingerprints,
  CollectionRegistry,
  SocketDoor,
  IdentityService,
  SyncGuard,
  ClientSchemas,
  Admission,
  PullService,
  FullService,
  DocumentsService,
  DigestService,
  InfoService,
  ChangeStreamHub,
  ScopeWatches,
  StreamService,
  SyncHealthIndicator,
  SnapshotRepository,
  PlanWriter,
  Sieve,
  TakenValues,
  FairTurns,
  Committer,
  PushQueue,
  ResolverService,
  PushIntake,
  PushAnswers,
  PushService,
  ScopeHeads,
  ScopeWriter,
  ServerChanges,
  TransactionRunner,
  OrdinaryWrites,
  Transactions,
  WriteWatch,
  Observation,
  ScopeFloors,
  Repairs,
  CaptureService,
  SyncAdminService,
  SystemStatus,
  Devices,
  RefusedChanges,
  OperatorService,
  SyncService,
];

/** Nest reads a route's path from the class, so that each instance of the module needs its own class. */
function controllerAt(prefix: string): Type<SyncController> {
  @Controller({ path: prefix, version: VERSION_NEUTRAL })
  class PrefixedController extends SyncController {}
  // The name that Nest logs.
  Object.defineProperty(PrefixedController, 'name', { value: SyncController.name });
  return PrefixedController;
}

/** Waits for a lazy connection: before it is open it has no client to work with. */
async function present(connection: Connection | undefined, name: string | undefined): Promise<Connection> {
  if (connection) return connection.asPromise();
  const [which, remedy] =
    name === undefined
      ? ['no Mongoose connection', 'MongooseModule.forRoot(uri)']
      : [
          `no Mongoose connection named ${name}`,
          `MongooseModule.forRoot(uri, { connectionName: '${name}' })`,
        ];
  throw new SyncError(
    'configuration',
    `SyncModule: there is ${which} in this app. Import ${remedy} in its root module, or name another with connectionName.`,
    { path: 'connectionName' },
  );
}
