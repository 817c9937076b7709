import type { mongo } from 'mongoose';
import { SyncError } from '../protocol/errors';

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
