import type { mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';

/** The oldest server whose transactions and change streams the engine was tried on. */
const OLDEST = { version: '6.0', maxWireVersion: 17 };

/**
 * Makes sure that the server has transactions and change streams.
 *
 * @throws SyncError `configuration` for a stand-alone or too old server, with the remedy
 */
export async function checkDeployment(db: mongo.Db): Promise<void> {
  const admin = db.client.db('admin');
  const hello = await admin.command({ hello: 1 });
  // A mongos says "isdbgrid" and names no set.
  if (typeof hello['setName'] !== 'string' && hello['msg'] !== 'isdbgrid')
    throw new SyncError(
      'configuration',
      'SyncModule: this MongoDB server is not part of a replica set, so it has no transactions and no change streams. ' +
        'Start it with `mongod --replSet rs0` and run `rs.initiate()` once in mongosh; one member is enough.',
    );
  // By `hello`: buildInfo is not part of the stable API, which a connection may be bound to.
  if (!(Number(hello['maxWireVersion']) >= OLDEST.maxWireVersion))
    throw new SyncError(
      'configuration',
      `SyncModule: this MongoDB server is too old: version ${OLDEST.version} or later is needed.`,
    );
}

/** Driver settings that decide how long a lost primary is felt. Milliseconds. */
export interface DriverTimes {
  readonly heartbeatFrequencyMS?: number;
  readonly connectTimeoutMS?: number;
  readonly serverSelectionTimeoutMS?: number;
}

/** The part of the driver's own options that is looked at. */
export interface DriverSettings extends DriverTimes {
  readonly maxPoolSize?: number;
  readonly serverApi?: { readonly strict?: boolean };
}

/** With these a frozen primary is left after 8 seconds; with the driver's defaults it took 34. */
export const RECOMMENDED_DRIVER_TIMES: Required<DriverTimes> = {
  heartbeatFrequencyMS: 1_000,
  connectTimeoutMS: 3_000,
  serverSelectionTimeoutMS: 10_000,
};

/** One for the change stream, one for a transaction, one for what is read meanwhile. */
const LEAST_CONNECTIONS = 3;

/** What of the app's MongoDB client will hurt: a sentence each, with the remedy. */
export function driverAdvice(settings: DriverSettings, hasStream: boolean): string[] {
  return [
    slowToNotice(settings),
    hasStream ? tooFewConnections(settings.maxPoolSize) : undefined,
    settings.serverApi?.strict === true ? STRICT_API : undefined,
  ].filter((line) => line !== undefined);
}

function slowToNotice(times: DriverTimes): string | undefined {
  const slow = (Object.keys(RECOMMENDED_DRIVER_TIMES) as (keyof DriverTimes)[]).filter(
    // Zero means: never gives up.
    (name) => (times[name] || Infinity) > RECOMMENDED_DRIVER_TIMES[name],
  );
  if (slow.length === 0) return undefined;
  const remedy = slow.map((name) => `${name}: ${RECOMMENDED_DRIVER_TIMES[name]}`).join(', ');
  return (
    `When the database's primary stops answering, requests may hang for half a minute. ` +
    `Give MongooseModule.forRoot() { ${remedy} } to get over it in seconds.`
  );
}

/** @param size zero means: without a bound; undefined, the driver's default of 100 */
function tooFewConnections(size = 0): string | undefined {
  if (size === 0 || size >= LEAST_CONNECTIONS) return undefined;
  return (
    `maxPoolSize is ${size}: the stream holds one connection all the time, and a push that waits for the rest ` +
    `may wait until it fails. Give MongooseModule.forRoot() { maxPoolSize: ${LEAST_CONNECTIONS} } or more (the ` +
    'driver’s default is 100), or switch the stream off with SyncModule.forRoot({ stream: false, … }).'
  );
}

const STRICT_API =
  'The MongoDB client has serverApi with strict: true, which forbids killSessions: when a process is killed in the ' +
  'middle of a transaction, its scope waits up to a minute, until MongoDB ends that by itself. With ' +
  "serverApi: { version: '1' } it is a few seconds. Full resyncs read more slowly too.";
