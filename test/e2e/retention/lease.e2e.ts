import mongoose, { type Connection, type mongo } from 'mongoose';
import { Lease, type LeaseRecord } from '../../../libs/sync/src/cluster/lease';
import { testDatabase } from '../../support/database';

describe('a lease', () => {
  let connection: Connection;
  let leases: mongo.Collection<LeaseRecord>;
  const lease = (owner: string, name = 'job', ttlMs = 60_000) => new Lease(leases, name, owner, ttlMs);

  beforeAll(async () => {
    connection = await mongoose.createConnection(testDatabase(__filename).uri).asPromise();
    leases = connection.getClient().db(connection.name).collection<LeaseRecord>('sync_leases');
    await leases.insertOne({ _id: 'warm-up', token: 0, expiresAt: new Date() });
  });
  afterEach(() => leases.deleteMany({}));
  afterAll(() => connection.close());

  const expire = () => leases.updateOne({ _id: 'job' }, { $set: { expiresAt: new Date(0) } });

  it('goes to one of many that request it concurrently', async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, n) => lease(`p${String(n)}`).acquire()));
    expect(tokens.filter((token) => token !== undefined)).toEqual([1]);
  });

  it('stays with its holder, who may prolong it under the same token', async () => {
    const holder = lease('a');
    expect(await holder.acquire()).toBe(1);
    const first = await leases.findOne({ _id: 'job' });
    expect(await lease('b').acquire()).toBeUndefined();
    expect(await holder.acquire()).toBe(1);
    const prolonged = await leases.findOne({ _id: 'job' });
    expect(prolonged!.expiresAt.getTime()).toBeGreaterThanOrEqual(first!.expiresAt.getTime());
  });

  it('goes to another with a higher token once it has expired, and its old holder learns of it', async () => {
    const old = lease('a', 'job', 0);
    await old.acquire();
    await expire();
    expect(await lease('b').acquire()).toBe(2);
    expect(await old.keep()).toBe(false);
  });

  it('can be taken immediately after a release', async () => {
    const holder = lease('a');
    await holder.acquire();
    await holder.release();
    expect(await lease('b').acquire()).toBe(2);
  });

  it('is not taken from its new holder by a late release of the old one', async () => {
    const old = lease('a');
    await old.acquire();
    await expire();
    await lease('b').acquire();
    await old.release();
    expect(await lease('c').acquire()).toBeUndefined();
  });

  it('of one name has nothing to do with another', async () => {
    await lease('a', 'job').acquire();
    expect(await lease('b', 'other').acquire()).toBe(1);
  });

  it('takes an owner that looks like a field path for what it is', async () => {
    const holder = lease('$expiresAt');
    await holder.acquire();
    expect((await leases.findOne({ _id: 'job' }))?.owner).toBe('$expiresAt');
    expect(await lease('b').acquire()).toBeUndefined();
  });
});
