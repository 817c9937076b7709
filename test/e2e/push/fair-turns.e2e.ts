import mongoose from 'mongoose';
import { OplogRepository } from '../../../libs/sync/src/log/oplog';
import { FairTurns } from '../../../libs/sync/src/cluster/fair-turns';
import { resolveSettings } from '../../../libs/sync/src/options/settings';
import { FailPoints } from '../../support/fail-point';
import { until } from '../../support/until';

describe('turns of processes that write one scope', () => {
  const connection = mongoose.createConnection();
  let faults: FailPoints;
  const settings = resolveSettings({});
  let process: () => FairTurns;

  beforeAll(async () => {
    faults = await FailPoints.start();
    await connection.openUri(faults.uri('turns'));
    process = () => new FairTurns(new OplogRepository(connection, settings), settings);
  });
  afterEach(() => faults.off());
  afterAll(async () => {
    await connection.close();
    await faults.close();
  });

  function contending(scope: string): FairTurns {
    const turns = process();
    turns.conflicted(scope);
    return turns;
  }

  it('cost nothing while a scope has met no conflict', async () => {
    const alone = process();
    expect(alone.isContended('quiet')).toBe(false);
    expect(await alone.take('quiet')).toBe(0);
    expect(await connection.collection('sync_leases').countDocuments({ _id: 'turn:quiet' as never })).toBe(0);
  });

  it('go to the one that waits when the holder has had its share, not back to the holder', async () => {
    const [a, b] = [contending('s'), contending('s')];
    expect(await a.take('s')).toBe(0);
    expect(await b.take('s')).toBeGreaterThan(0);
    expect(await a.pass('s', false)).toBeGreaterThan(0);
    expect(await a.take('s')).toBeGreaterThan(0);
    expect(await b.take('s')).toBe(0);
    expect(await a.take('s')).toBeGreaterThan(0);
    expect(await b.pass('s', false)).toBeGreaterThan(0);
    expect(await a.take('s')).toBe(0);
  });

  it('stay with the holder while it has pushes and time left', async () => {
    const a = contending('t');
    expect(await a.take('t')).toBe(0);
    expect(await a.pass('t', true)).toBe(0);
    expect(await a.take('t')).toBe(0);
  });

  it('are not blocked by a holder that died', async () => {
    const [dead, alive] = [contending('d'), contending('d')];
    await dead.take('d');
    await until(async () => (await alive.take('d')) === 0);
  });

  it('are done without when the database does not answer', async () => {
    const hangs = await faults.set({ commands: ['findAndModify'], blockTimeMS: 6_000, times: 1 });
    const taking = contending('h').take('h');
    await hangs();
    // Ends when the command does.
    const answered = faults.off().then(() => 'the database answers');
    expect(await Promise.race([taking, answered])).toBe(0);
    await answered;
  });
});
