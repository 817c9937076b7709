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

function tokenOf(part: string, connectionName = ''): symbol {
  return Symbol.for(`nest-offline-sync:${part}:${connectionName}`);
}
