/** SyncOptions as the host gave them. */
export const SYNC_OPTIONS = Symbol('nest-offline-sync:options');
/** SyncModuleExtras: what is known before DI. */
export const SYNC_EXTRAS = Symbol('nest-offline-sync:extras');
/** SyncSettings: the options, validated, with every default filled in. */
export const SYNC_SETTINGS = Symbol('nest-offline-sync:settings');
/** The Mongoose connection that the module works on. */
export const SYNC_CONNECTION = Symbol('nest-offline-sync:connection');
/** The class of the HTTP routes, also where they are switched off: guards look at it for a socket too. */
export const SYNC_CONTROLLER = Symbol('nest-offline-sync:controller');
/** The metrics port: prom-client's, or one that does nothing. */
export const SYNC_METRICS = Symbol('nest-offline-sync:metrics');

/** SyncAdminSettings: the options of SyncAdminModule, checked. */
export const ADMIN_SETTINGS = Symbol('nest-offline-sync:admin-settings');
/** Which instance of SyncModule the routes of an operator show. */
export const ADMIN_CONNECTION_NAME = Symbol('nest-offline-sync:admin-connection-name');
/** Where they are, without slashes at the ends. */
export const ADMIN_PATH = Symbol('nest-offline-sync:admin-path');

/**
 * The token of one instance's SyncService, for apps that have several on different connections.
 *
 * @param connectionName as given to forRoot; none for the unnamed connection
 */
export function getSyncToken(connectionName?: string): symbol {
  return tokenOf('service', connectionName);
}

/** The token of one instance's CollectionRegistry: forFeature finds it by this. */
export function getRegistryToken(connectionName?: string): symbol {
  return tokenOf('registry', connectionName);
}

/** The token of what an operator sees of one instance: SyncAdminModule finds it by this. */
export function getOperatorToken(connectionName?: string): symbol {
  return tokenOf('operator', connectionName);
}

function tokenOf(part: string, connectionName = ''): symbol {
  return Symbol.for(`nest-offline-sync:${part}:${connectionName}`);
}
