import type { PushResult } from 'nest-offline-sync';
import { CuttingProxy } from '../../support/cutting-proxy';
import { FailPoints, type FailPoint } from '../../support/fail-point';
import { startHttpApp, upsert, type Device, type HttpApp } from '../../support/http-app';

const WRITE_CONFLICT = 112;
const INTERRUPTED_AT_SHUTDOWN = 11600;
const NOT_PRIMARY = 10107;
const STEPPED_DOWN = 189;
const NO_SUCH_TRANSACTION = 251;
const TRANSIENT = ['TransientTransactionError'];
const appName = 'faulty';
const DEADLINE_MS = 1500;

describe('a push whose database fails', () => {
  let proxy: CuttingProxy;
  let faults: FailPoints;
  let app: HttpApp;
  let device: Device;
  let scopes = 0;

  beforeAll(async () => {
    faults = await FailPoints.start();
    proxy = await CuttingProxy.before(faults.port);
    app = await startHttpApp(`mongodb://127.0.0.1:${String(proxy.port)}/faults?directConnection=true`, {
      client: { appName, serverSelectionTimeoutMS: 1000, heartbeatFrequencyMS: 500 },
      options: {
        retryDeadlineMs: DEADLINE_MS,
        collections: [{ name: 'notes', freeForm: true, ids: 'scoped' }],
      },
    });
  });
  afterEach(() => faults.off());
  afterAll(async () => {
    await app.close();
    await proxy.close();
    await faults.close();
  });
  beforeEach(() => {
    scopes += 1;
    device = app.as(`s${String(scopes)}`);
  });

  const changes = [1, 2, 3].map((n) =>
    upsert('notes', `n${String(n)}`, { n }, { mutation_id: `m${String(n)}` }),
  );
  /** Each change is in the log once, under the version in its answer, above what was there before. */
  async function onceAs(results: readonly PushResult[], before = 0): Promise<void> {
    expect(results.map(({ status }) => status)).toEqual(results.map(() => 'accepted'));
    const { changes: log, seq } = await device.pull();
    expect(log.slice(before).map(({ version }) => version)).toEqual(
      results.map(({ new_version }) => new_version),
    );
    expect(seq).toBe(before + results.length);
  }

  it.each(['commitTransaction', 'insert', 'update', 'find'])(
    'is answered once its connection broke before the answer to %s came',
    async (command) => {
      const cuts = proxy.cuts;
      await device.one(upsert('notes', 'earlier', {}));
      proxy.loseAnswerTo(command);
      await onceAs(await device.push(changes), 1);
      expect(proxy.cuts).toBe(cuts + 1);
    },
  );

  it('without a mutation id is not doubled by lost answers to its commit', async () => {
    // The driver asks a second time by itself; the third one is the engine's.
    proxy.loseAnswerTo('commitTransaction', 2);
    await onceAs(await device.push([upsert('notes', 'a', { n: 1 }), upsert('notes', 'b', { n: 1 })]));
  });

  it('of several clients concurrently is answered to each of them', async () => {
    proxy.loseAnswerTo('commitTransaction');
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, n) => device.one(upsert('notes', `n${String(n)}`, { n }))),
    );
    const versions = answers.map(({ new_version }) => new_version).sort();
    expect((await device.pull()).changes.map(({ version }) => version)).toEqual(versions);
  });

  it.each<[what: string, fault: Omit<FailPoint, 'appName'>]>([
    [
      'commit of unknown outcome',
      {
        commands: ['commitTransaction'],
        times: 1,
        writeConcernError: { code: 91, errmsg: 'x' },
        errorLabels: ['RetryableWriteError'],
      },
    ],
    [
      'commit of unknown outcome, again and again',
      { commands: ['commitTransaction'], times: 3, writeConcernError: { code: 91, errmsg: 'x' } },
    ],
    [
      'commit that waits for members too long',
      { commands: ['commitTransaction'], times: 2, writeConcernError: { code: 64, errmsg: 'x' } },
    ],
    [
      'commit that was undone',
      { commands: ['commitTransaction'], times: 2, errorCode: NO_SUCH_TRANSACTION, errorLabels: TRANSIENT },
    ],
    ['commit without a primary', { commands: ['commitTransaction'], times: 2, errorCode: NOT_PRIMARY }],
    [
      'commit that breaks the connection',
      { commands: ['commitTransaction'], times: 2, closeConnection: true },
    ],
    ['write conflict', { commands: ['insert'], times: 3, errorCode: WRITE_CONFLICT, errorLabels: TRANSIENT }],
    ['write that breaks the connection', { commands: ['insert'], times: 2, closeConnection: true }],
    [
      'write without a primary',
      { commands: ['insert'], times: 2, errorCode: STEPPED_DOWN, errorLabels: TRANSIENT },
    ],
    ['read that breaks the connection', { commands: ['find'], times: 2, closeConnection: true }],
    [
      'read at a shutdown',
      { commands: ['find'], times: 2, errorCode: INTERRUPTED_AT_SHUTDOWN, errorLabels: TRANSIENT },
    ],
    [
      'failing abort too',
      {
        commands: ['insert', 'abortTransaction'],
        times: 3,
        errorCode: WRITE_CONFLICT,
        errorLabels: TRANSIENT,
      },
    ],
  ])('is applied once in spite of a %s', async (_what, fault) => {
    await faults.set({ ...fault, appName });
    const results = await device.push(changes);
    await faults.off();
    await onceAs(results);
    const again = await device.push(changes);
    expect(again.map(({ replayed, new_version }) => [replayed, new_version])).toEqual(
      results.map(({ new_version }) => [true, new_version]),
    );
    expect((await device.pull()).seq).toBe(results.length);
  });

  it.each<[what: string, code: string, fault: Omit<FailPoint, 'appName'>]>([
    [
      'there is no primary',
      'busy',
      { commands: ['find', 'insert', 'commitTransaction'], errorCode: NOT_PRIMARY, errorLabels: TRANSIENT },
    ],
    [
      'every connection breaks',
      'busy',
      { commands: ['find', 'insert', 'commitTransaction'], closeConnection: true },
    ],
    [
      'everything conflicts',
      'busy',
      { commands: ['insert'], errorCode: WRITE_CONFLICT, errorLabels: TRANSIENT },
    ],
    [
      'no commit is confirmed',
      'unavailable',
      { commands: ['commitTransaction'], writeConcernError: { code: 91, errmsg: 'x' } },
    ],
    ['no commit is answered', 'unavailable', { commands: ['commitTransaction'], closeConnection: true }],
  ])('is refused with 503 while %s, and taken once when it is sent again', async (_what, code, fault) => {
    await faults.set({ ...fault, appName });
    const answer = await device.tryPush(changes);
    expect(answer).toMatchObject({ status: 503, body: { statusCode: 503, code } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((answer.body as { message: string }).message).toMatch(/again/);
    await faults.off();
    await onceAs(await device.push(changes));
  });

  it('takes effect once however often connections break in the middle of large and small pushes', async () => {
    const text = 'x'.repeat(60_000);
    let writing = true;
    const cuts = (async () => {
      for (let cut = 0; cut < 60; cut += 1) {
        await new Promise((resolve) => setTimeout(resolve, 25));
        proxy.cutAll();
      }
    })();
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; n < 12; n += 1) {
        const own = [1, 2, 3].map((k) => {
          const id = `w${String(writer)}-${String(n)}-${String(k)}`;
          return upsert('notes', id, { n, text: writer < 4 ? text : 'short' }, { mutation_id: id });
        });
        const scope = app.as(`cut${String(writer % 3)}`);
        for (;;) {
          const { status, body } = await scope.tryPush(own);
          if (status === 200) break;
          // Given up in time, and never as an unexpected error.
          expect({ status, body }).toMatchObject({ status: 503, body: { statusCode: 503 } });
        }
      }
    });
    const reader = (async () => {
      while (writing) {
        const { status, body } = await app.as('cut0').send('/sync/pull');
        if (status !== 200)
          expect({ status, body }).toMatchObject({ status: 503, body: { statusCode: 503 } });
      }
    })();
    await Promise.all([cuts, ...writers]).finally(() => (writing = false));
    await reader;
    let entries = 0;
    for (const scope of ['cut0', 'cut1', 'cut2']) entries += (await app.as(scope).pull()).seq;
    expect(entries).toBe(8 * 12 * 3);
  }, 120_000);

  it('gets its first answer again from a slow database too', async () => {
    const slow = await startHttpApp(faults.uri('slow'), {
      client: { appName },
      options: {
        collections: [{ name: 'drafts', freeForm: true, ids: 'scoped', conflict: 'client-wins' }],
      },
    });
    try {
      const own = slow.as('slow');
      const draft = (mutation: string): object =>
        upsert('drafts', 'a', { by: mutation }, { mutation_id: mutation });
      const first = await own.one(draft('m1'));
      await own.one(draft('m2'));
      await faults.set({ commands: ['find'], appName, blockTimeMS: 600 });
      expect(await own.one(draft('m1'))).toEqual({ ...first, replayed: true });
      await faults.off();
      expect((await own.pull()).changes.map(({ doc_id }) => doc_id)).toEqual(['a', 'a']);
    } finally {
      await slow.close();
    }
  });

  it('does not wait forever for a read that hangs, and serves the others meanwhile', async () => {
    await device.push(changes);
    const hangs = await faults.set({ commands: ['find'], blockTimeMS: 6_000, times: 1, appName });
    const hanging = device.send('/sync/pull');
    await hangs();
    expect((await device.pull()).changes).toHaveLength(3);
    // Ends when the read does.
    const read = faults.off().then(() => 'the database answers');
    const answer = await Promise.race([hanging, read]);
    expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } });
    await read;
  });

  it('reads again as soon as the database does', async () => {
    await device.push(changes);
    await faults.set({ commands: ['find', 'aggregate'], errorCode: NOT_PRIMARY, appName });
    for (const path of ['pull', 'full']) {
      const answer = await device.send(`/sync/${path}`);
      expect(answer).toMatchObject({ status: 503, body: { code: 'unavailable' } });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }
    await faults.off();
    expect((await device.pull()).changes).toHaveLength(3);
  });
});
