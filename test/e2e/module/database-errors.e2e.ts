import { FailPoints } from '../../support/fail-point';
import { startHttpApp, upsert, type HttpApp } from '../../support/http-app';

const MONGO = {
  HostUnreachable: 6,
  NetworkTimeout: 89,
  ReadConcernMajorityNotAvailableYet: 134,
  ExceededTimeLimit: 262,
  SocketException: 9001,
  BadValue: 2,
};
const APP = 'database-errors';
/** The driver asks once more by itself. Only where it does not matter whose command fails: the app reads on its own too. */
const TWICE = 2;

describe('what the database says means the same on every way', () => {
  let app: HttpApp;
  let faults: FailPoints;

  beforeAll(async () => {
    faults = await FailPoints.start();
    app = await startHttpApp(faults.uri(APP), {
      client: { appName: APP },
      options: { collections: [{ name: 'docs', freeForm: true, ids: 'scoped' }], retryDeadlineMs: 3_000 },
    });
    for (let n = 0; n < 13; n++)
      await app
        .as('a')
        .push(Array.from({ length: 200 }, (_, i) => upsert('docs', `${String(n)}-${String(i)}`, { n })));
  });
  afterEach(() => faults.off());
  afterAll(async () => {
    await app.close();
    await faults.close();
  });

  const matter = [MONGO.ReadConcernMajorityNotAvailableYet, MONGO.HostUnreachable, MONGO.SocketException];

  it.each(matter)('code %d: a pull is answered with 503 and when to come back', async (errorCode) => {
    await faults.set({ commands: ['find', 'aggregate'], appName: APP, errorCode });
    const answer = await app.as('a').send('/sync/pull');
    expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    expect(answer.headers.get('retry-after')).not.toBeNull();
  });

  it.each(matter)('code %d: a push waits for it', async (errorCode) => {
    await faults.set({ commands: ['insert'], appName: APP, errorCode, times: TWICE });
    expect((await app.as('b').one(upsert('docs', String(errorCode), {}))).status).toBe('accepted');
  });

  it.each([...matter, MONGO.NetworkTimeout, MONGO.ExceededTimeLimit])(
    'code %d in the middle of a full resync: it reads on, and gives each document once',
    async (errorCode) => {
      const ran = await faults.set({ commands: ['getMore'], appName: APP, errorCode, times: TWICE });
      const { text } = await app.as('a').send('/sync/full?limit=10000');
      await ran();
      const ids = text.split('\n').filter((line) => line.includes('"doc_id"'));
      expect([ids.length, new Set(ids).size]).toEqual([2600, 2600]);
    },
  );

  it('is an error of the server where waiting would not help', async () => {
    await faults.set({ commands: ['find', 'aggregate'], appName: APP, errorCode: MONGO.BadValue });
    expect(await app.as('a').send('/sync/pull')).toMatchObject({ status: 500, body: { code: 'internal' } });
  });
});
