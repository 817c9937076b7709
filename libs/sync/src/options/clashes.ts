import type { SyncExtras } from './extras';

type Routes = Pick<SyncExtras, 'connectionName' | 'http' | 'prefix' | 'stream' | 'streamPath'>;

/** What two instances of the module in one app cannot both have, with the remedy; undefined when they get along. */
export function routeClash(one: Routes, other: Routes): string | undefined {
  if (one.connectionName === other.connectionName)
    return 'forRoot() is imported twice for the same connection. Import it once, in the root module, and add collections elsewhere with SyncModule.forFeature([...]). A second instance needs another connectionName.';
  if (one.http && other.http && one.prefix === other.prefix)
    return `${both(one, other)} serve the routes of /${one.prefix}: one of them would never be asked. Give each a prefix.`;
  if (one.stream && other.stream && one.streamPath === other.streamPath)
    return `${both(one, other)} have their socket at ${one.streamPath}: one of them would never be asked. Give each a streamPath.`;
  return undefined;
}

/** Where an instance keeps what. */
interface InstanceData {
  readonly connectionName: string | undefined;
  readonly database: string;
  readonly hosts: readonly string[];
  /** Names of the log's collections, in a fixed order. */
  readonly log: readonly string[];
  readonly synced: readonly string[];
}

/**
 * Two instances may share a whole log and what it is about, as two processes do. With two logs for one collection, or
 * a part of a log in common, neither log would tell what has happened.
 */
export function dataClash(one: InstanceData, other: InstanceData): string | undefined {
  if (one.database !== other.database || !one.hosts.some((host) => other.hosts.includes(host)))
    return undefined;
  if (one.log.join() === other.log.join()) return undefined;
  const shared = [...one.log, ...one.synced].filter((name) => [...other.log, ...other.synced].includes(name));
  if (shared.length === 0) return undefined;
  return (
    `${both(one, other)} use ${shared.join(', ')} of database ${one.database}, but with different logs: what one of ` +
    'them writes, the devices of the other never hear of. Give both the same oplogCollection, headsCollection, ' +
    'receiptsCollection and leasesCollection, or collections and logs that have nothing in common.'
  );
}

function both(one: Pick<Routes, 'connectionName'>, other: Pick<Routes, 'connectionName'>): string {
  const name = ({ connectionName }: Pick<Routes, 'connectionName'>): string =>
    connectionName ?? 'the unnamed one';
  return `The instances on the connections ${name(one)} and ${name(other)} both`;
}
