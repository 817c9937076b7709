import type { Register } from '../../../libs/sync/src/register/register';
import type { Admission } from '../../../libs/sync/src/identity/admission';
import { Selection } from '../../../libs/sync/src/log/selection';
import type { CollectionRegistry } from '../../../libs/sync/src/collections/collection-registry';
import { NoMetrics } from '../../../libs/sync/src/metrics/metrics';
import { TrimMemory } from '../../../libs/sync/src/retention/trim-plan';
import { trimOnce, type TrimReport, type TrimSettings } from '../../../libs/sync/src/retention/trim-once';
import { FullResyncRequired, PullPage } from '../../../libs/sync/src/pull/page';
import { PullService } from '../../../libs/sync/src/pull/pull.service';
import { resolveSettings } from '../../../libs/sync/src/options/settings';
import { DAY_MS, SeededLog, versionOf } from '../../support/seeded-log';

const GRACE_MS = 600_000;
const OLD = 31 * DAY_MS;
const YOUNG = 29 * DAY_MS;

describe('retention', () => {
  let log: SeededLog;
  let pulls: PullService;
  const commands: string[] = [];

  beforeAll(async () => {
    log = await SeededLog.open(__filename, { monitorCommands: true });
    log.oplog.client.on('commandStarted', ({ commandName, command }) => {
      commands.push(`${commandName} ${String(command[commandName])}`);
    });
    // Pages are asked for by name: the registry, which authorizes, has no part in them.
    pulls = new PullService(
      log.oplog,
      { get: () => undefined } as unknown as CollectionRegistry,
      {} as Admission,
      {} as Register,
      resolveSettings({}),
      new NoMetrics(),
    );
  });
  afterEach(() => log.empty());
  afterAll(() => log.close());

  const trim = (settings: Partial<TrimSettings> = {}, memory?: TrimMemory): Promise<TrimReport> =>
    trimOnce(
      { oplog: log.oplog, memory },
      {
        oplogTtlDays: 30,
        oplogMaxEntries: undefined,
        receiptTtlDays: 30,
        tombstoneTtlDays: 0,
        trimGraceMs: GRACE_MS,
        ...settings,
      },
    );
  const pull = (scope: string, since: string | undefined, limit = 1000) =>
    pulls.page(scope, { since, selection: new Selection(['tasks']), limit });
  const reasonFor = async (scope: string, since: string) => {
    const answer = await pull(scope, since);
    return answer instanceof FullResyncRequired ? answer.reason : 'served';
  };

  it('raises the floor first and deletes below it only after the grace period', async () => {
    await log.append('a', [OLD, OLD, OLD, YOUNG, YOUNG]);

    expect(await trim()).toMatchObject({ scopes: 1, raised: 1, deletedEntries: 0, finished: true });
    expect(await log.head('a')).toMatchObject({ floor: versionOf(3), floorSeq: 3, seq: 5 });
    expect(await log.seqs('a')).toEqual([1, 2, 3, 4, 5]);

    await log.ageFloor('a', GRACE_MS - 60_000);
    expect(await trim()).toMatchObject({ raised: 0, waiting: 1, deletedEntries: 0 });

    await log.ageFloor('a', 60_000);
    expect(await trim()).toMatchObject({ raised: 0, waiting: 0, deletedEntries: 3 });
    expect(await log.seqs('a')).toEqual([4, 5]);
  });

  it('sends a cursor below the floor to a full resync from the moment of the raise on', async () => {
    await log.append('a', [OLD, OLD, YOUNG]);
    await trim();
    expect(await reasonFor('a', versionOf(1))).toBe('too_old');
    expect(await reasonFor('a', versionOf(2))).toBe('served');
  });

  it('leaves nothing of a scope whose whole log has expired, and its last reader goes on', async () => {
    await log.append('a', [OLD, OLD, OLD]);
    await trim({ trimGraceMs: 0 });
    expect(await log.seqs('a')).toEqual([]);
    expect((await log.head('a')).floor).toBe(versionOf(3));
    expect(await reasonFor('a', versionOf(2))).toBe('too_old');

    await log.append('a', [0]);
    const page = await pull('a', versionOf(3));
    expect(page instanceof PullPage && page.entries.map(({ seq }) => seq)).toEqual([4]);
  });

  it('never removes an entry above a young one, whatever their clocks said', async () => {
    await log.append('a', [OLD, YOUNG, OLD, OLD, YOUNG]);
    await trim({ trimGraceMs: 0 });
    expect(await log.seqs('a')).toEqual([2, 3, 4, 5]);
  });

  it('keeps oplogMaxEntries of each scope, even if nothing expires by age', async () => {
    await log.append(
      'long',
      Array.from({ length: 50 }, () => 0),
    );
    await log.append('short', [0, 0]);
    await trim({ oplogTtlDays: 0, oplogMaxEntries: 10, trimGraceMs: 0 });
    expect((await log.seqs('long'))[0]).toBe(41);
    expect(await log.seqs('short')).toEqual([1, 2]);
  });

  it('keeps a log forever without a time and a count', async () => {
    await log.append('a', [400 * DAY_MS, 400 * DAY_MS]);
    expect(await trim({ oplogTtlDays: 0, trimGraceMs: 0 })).toMatchObject({ raised: 0, deletedEntries: 0 });
  });

  it('goes over more scopes than a page of heads holds', async () => {
    await log.appendToEach(
      Array.from({ length: 503 }, (_, n) => `s${String(n)}`),
      OLD,
    );
    expect(await trim({ trimGraceMs: 0 })).toMatchObject({ scopes: 503, raised: 503, deletedEntries: 503 });
  });

  it('raises a floor once when two processes want to', async () => {
    await log.append('a', [OLD, OLD, YOUNG]);
    const reports = await Promise.all([trim(), trim(), trim()]);
    expect(reports.reduce((sum, { raised }) => sum + raised, 0)).toBe(1);
    expect(await log.head('a')).toMatchObject({ floor: versionOf(2), floorSeq: 2 });
  });

  it('leaves a log without a gap when it is stopped in the middle, and the next run finishes it', async () => {
    await log.append(
      'a',
      Array.from({ length: 3500 }, () => OLD),
    );
    await trim();
    await log.ageFloor('a', GRACE_MS);
    let batches = 0;
    const stopped = await trimOnce(
      { oplog: log.oplog, mayContinue: () => Promise.resolve(++batches < 2) },
      {
        oplogTtlDays: 30,
        oplogMaxEntries: undefined,
        receiptTtlDays: 30,
        tombstoneTtlDays: 0,
        trimGraceMs: GRACE_MS,
      },
    );
    expect(stopped).toMatchObject({ finished: false, deletedEntries: 2000 });
    const left = await log.seqs('a');
    expect([left[0], left.length]).toEqual([2001, 1500]);

    expect(await trim()).toMatchObject({ finished: true, deletedEntries: 1500 });
  });

  it('does not query a scope in which nothing can be due, once it has been checked', async () => {
    await log.append('a', [OLD, YOUNG]);
    await log.append('b', [YOUNG]);
    const memory = new TrimMemory();
    await trim({ trimGraceMs: 0 }, memory);
    commands.length = 0;
    expect(await trim({ trimGraceMs: 0 }, memory)).toMatchObject({ scopes: 2 });
    expect(commands.filter((command) => command.endsWith('sync_oplog'))).toEqual([]);
  });

  it('keeps receipts for as long as the log and 30 days more', async () => {
    const receipt = (mutation: string, age: number) => ({
      _id: { scope: 'a', client: 'c', mutation },
      hash: 'h',
      doc_id: 't',
      at: new Date(Date.now() - age),
      status: 'accepted' as const,
      new_version: versionOf(1),
      server_version: versionOf(1),
      code: null,
      error: null,
    });
    await log.oplog.receipts.insertMany([
      ...Array.from({ length: 1100 }, (_, n) => receipt(`old${String(n)}`, 61 * DAY_MS)),
      receipt('young', 59 * DAY_MS),
    ]);
    expect(await trim({ oplogTtlDays: 0 })).toMatchObject({ deletedReceipts: 0 });
    expect(await trim()).toMatchObject({ deletedReceipts: 1100 });
    expect(await log.oplog.receipts.distinct('_id.mutation')).toEqual(['young']);
  });

  it('lets a reader that is in the middle of the log when the floor is raised read to the end', async () => {
    await log.append('a', [...Array<number>(500).fill(OLD), YOUNG]);
    const cursor = log.oplog.entries.find({ scope: 'a' }, { sort: { version: 1 }, batchSize: 10 });
    const read = [(await cursor.next())?.seq];
    await trim();
    await trim();
    for await (const { seq } of cursor) read.push(seq);
    expect(read).toEqual(Array.from({ length: 501 }, (_, index) => index + 1));
  });

  it('never makes a gap for readers while a scope is written and trimmed', async () => {
    const total = 6_000;
    let writing = true;
    const write = async () => {
      while ((await log.head('a')).seq < total) await log.append('a', Array<number>(100).fill(0));
      writing = false;
    };
    let deleted = 0;
    const trimming = async () => {
      while (writing) {
        // Two of these run side by side: the sum is read after the wait.
        const { deletedEntries } = await trim({ oplogTtlDays: 0, oplogMaxEntries: 300, trimGraceMs: 200 });
        deleted += deletedEntries;
      }
    };
    const read = async () => {
      let { floor: since, floorSeq: at } = await log.head('a');
      while (writing) {
        const page = await pull('a', at === 0 ? undefined : since, 70);
        if (page instanceof PullPage) {
          for (const entry of page.entries) expect(entry.seq).toBe(++at);
          since = page.last_seq;
        } else {
          expect(page.reason).toBe('too_old');
          ({ floor: since, floorSeq: at } = await log.head('a'));
        }
      }
    };
    await log.append('a', [0]);
    await Promise.all([write(), trimming(), trimming(), read(), read()]);
    expect(deleted).toBeGreaterThan(1000);
    const left = await log.seqs('a');
    expect(left.length).toBe(total + 1 - left[0]! + 1);
  });
});
