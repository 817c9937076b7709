import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCli } from '../../../libs/sync/src/cli/program';
import { DAY_MS, SeededLog, versionOf } from '../../support/seeded-log';
import { testDatabase, type TestDatabase } from '../../support/database';

const OLD = 31 * DAY_MS;

interface Run {
  code: number;
  out: string;
  err: string;
}

async function run(...argv: string[]): Promise<Run> {
  const result: Run = { code: -1, out: '', err: '' };
  result.code = await runCli(argv, {
    out: (text) => (result.out += text),
    err: (text) => (result.err += text),
  });
  return result;
}

describe('nest-offline-sync', () => {
  let log: SeededLog;
  let uri: string;
  let fresh: TestDatabase;
  const environment = { ...process.env };

  beforeAll(async () => {
    log = await SeededLog.open(__filename);
    fresh = testDatabase(__filename);
    uri = fresh.serverUri;
    delete process.env.MONGODB_URI;
    delete process.env.MONGODB_DATABASE;
  });
  beforeEach(() => log.empty());
  afterEach(async () => {
    delete process.env.MONGODB_URI;
    delete process.env.MONGODB_DATABASE;
    await fresh.drop();
  });
  afterAll(async () => {
    process.env = environment;
    await log.close();
  });

  const there = () => ['--mongodb-uri', uri, '--database', fresh.name];
  const here = () => ['--mongodb-uri', uri, '--database', log.oplog.db.databaseName];
  const freshDb = () => log.oplog.client.db(fresh.name);

  describe('init', () => {
    it("makes the engine's collections and indexes and those of the named collections, and again makes nothing", async () => {
      const first = await run('init', ...there(), '--collections', 'tasks, orders');
      expect(first).toMatchObject({ code: 0, err: '' });
      const names = (await freshDb().listCollections().toArray()).map(({ name }) => name).sort();
      expect(names).toEqual(['orders', 'sync_heads', 'sync_leases', 'sync_oplog', 'sync_receipts', 'tasks']);
      const keys = async (name: string) =>
        (await freshDb().collection(name).listIndexes().toArray()).map(({ key, unique }) => [
          key,
          unique === true,
        ]);
      expect(await keys('sync_oplog')).toEqual(
        expect.arrayContaining([
          [{ scope: 1, seq: 1 }, true],
          [{ scope: 1, version: 1 }, true],
        ]),
      );
      expect(await keys('tasks')).toContainEqual([{ _sync_scope_id: 1, _id: 1 }, false]);

      const second = await run('init', ...there(), '--collections', 'tasks,orders');
      expect(second.code).toBe(0);
      expect(second.out).not.toContain('made');
    });

    it('says what of the named collections will hurt, and refuses what cannot work', async () => {
      await freshDb().collection('tasks').insertOne({ title: 'from before' });
      await freshDb().collection('tasks').createIndex({ at: 1 }, { expireAfterSeconds: 60 });
      const { code, out } = await run('init', ...there(), '--collections', 'tasks');
      expect(code).toBe(0);
      expect(out).toMatch(/to do +The TTL index at_1 of tasks/);
      expect(out).toMatch(/to do +Collection tasks holds 1 document without a scope/);

      await freshDb().createCollection('visits', { viewOn: 'tasks', pipeline: [] });
      const refused = await run('init', ...there(), '--collections', 'visits');
      expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('visits is a view') as string });
    });

    it('takes the names that the app gives its log', async () => {
      await run('init', ...there(), '--oplog-collection', 'log', '--heads-collection', 'log_heads');
      const names = (await freshDb().listCollections().toArray()).map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(['log', 'log_heads']));
      expect(names).not.toContain('sync_oplog');
    });

    it('completes synced documents that have no _sync_deleted, and no others', async () => {
      await freshDb()
        .collection<{ _id: string }>('tasks')
        .insertMany([
          { _id: 'synced', _sync_scope_id: 'a' },
          { _id: 'deleted', _sync_scope_id: 'a', _sync_deleted: true },
          { _id: 'not ours' },
        ] as { _id: string }[]);
      const { out } = await run('init', ...there(), '--collections', 'tasks');
      expect(out).toContain('tasks: 1 documents');
      expect(
        await freshDb()
          .collection('tasks')
          .find({}, { sort: { _id: 1 } })
          .toArray(),
      ).toEqual([
        { _id: 'deleted', _sync_scope_id: 'a', _sync_deleted: true },
        { _id: 'not ours' },
        { _id: 'synced', _sync_scope_id: 'a', _sync_deleted: false },
      ]);
    });

    it('says what to do about a unique index that would let tenants block each other', async () => {
      await freshDb().collection('items').createIndex({ sku: 1 }, { unique: true });
      const { code, out } = await run('init', ...there(), '--collections', 'items');
      expect(code).toBe(0);
      expect(out).toContain('to do');
      expect(out).toContain('{"_sync_scope_id":1,"sku":1}');
      await freshDb().collection('items').dropIndexes();
      await freshDb()
        .collection('items')
        .createIndex(
          { _sync_scope_id: 1, sku: 1 },
          { unique: true, partialFilterExpression: { _sync_deleted: false } },
        );
      expect((await run('init', ...there(), '--collections', 'items')).out).not.toContain('to do');
    });

    it('does not take a collection of the engine for a synced one', async () => {
      const { code, err } = await run('init', ...there(), '--collections', 'tasks,sync_oplog');
      expect(code).toBe(1);
      expect(err).toContain('sync_oplog is not a collection of yours');
    });
  });

  describe('status', () => {
    beforeEach(async () => {
      await log.append('ann', [OLD, OLD, 0, 0, 0]);
      await log.append('bob', [0]);
    });

    it('shows scopes, heads, floors and sizes', async () => {
      await run('trim', ...here());
      const { code, out } = await run('status', ...here());
      expect(code).toBe(0);
      const cells = (start: string) =>
        out
          .split('\n')
          .find((line) => line.startsWith(start))
          ?.split(/ {2,}/);
      expect(cells('ann')).toEqual(['ann', versionOf(5), '5', versionOf(2), '2', '3', '2']);
      expect(cells('bob')?.slice(0, 3)).toEqual(['bob', versionOf(1), '1']);
      expect(cells('sync_oplog')?.[1]).toBe('6');
    });

    it('gives the same as JSON', async () => {
      const { out } = await run('status', ...here(), '--json', '--scope', 'bob');
      const status = JSON.parse(out) as { database: string; scopes: unknown[]; missing: unknown[] };
      expect(status).toMatchObject({ database: log.oplog.db.databaseName, missing: [], scopesInAll: 2 });
      expect(status.scopes).toEqual([
        expect.objectContaining({ scope: 'bob', seq: 1, entries: 1, waiting: 0 }),
      ]);
    });

    it('shows as many scopes as asked for and says that there are more', async () => {
      const { out } = await run('status', ...here(), '--limit', '1');
      expect(out).toContain('ann');
      expect(out).not.toContain('bob');
      expect(out).toContain('1 more');
    });

    it('takes a database without a log for the wrong one', async () => {
      const { code, err } = await run('status', ...there());
      expect(code).toBe(1);
      expect(err).toContain('Is it the right database?');
    });
  });

  describe('trim', () => {
    it('raises floors now and deletes after the grace', async () => {
      await log.append('ann', [OLD, OLD, 0]);
      const first = await run('trim', ...here());
      expect(first.out).toContain('raised the floor of 1');
      expect(first.out).toContain('after the grace period');
      expect(await log.seqs('ann')).toEqual([1, 2, 3]);

      await log.ageFloor('ann', 600_000);
      expect((await run('trim', ...here(), '--json')).out).toContain('"deletedEntries":2');
      expect(await log.seqs('ann')).toEqual([3]);
    });

    it('does both at once with --grace 0, by the age and the count that it is given', async () => {
      await log.append('ann', [3 * DAY_MS, 0, 0, 0, 0]);
      const { code } = await run('trim', ...here(), '--grace', '0', '--oplog-ttl-days', '2.5');
      expect(code).toBe(0);
      expect(await log.seqs('ann')).toEqual([2, 3, 4, 5]);
      await run('trim', ...here(), '--grace', '0', '--oplog-max-entries', '2');
      expect(await log.seqs('ann')).toEqual([4, 5]);
    });

    it('removes tombstones of the named collections, by the index that init has made', async () => {
      await log.append('ann', [OLD, OLD, 0]);
      const of = ['--collections', 'tasks', '--tombstone-ttl-days', '20'];
      await log.oplog.db.collection<{ _id: string }>('tasks').insertMany(
        [1, 3].map((n) => ({
          _id: `t${String(n)}`,
          _sync_scope_id: 'ann',
          _sync_deleted: true,
          _sync_version: versionOf(n),
        })),
      );
      await log.oplog.db.collection('tasks').dropIndexes();
      const early = await run('trim', ...here(), ...of);
      expect(early).toMatchObject({
        code: 1,
        err: expect.stringContaining('nest-offline-sync init') as string,
      });
      expect((await run('init', ...here(), ...of)).out).toContain(
        'made      tasks {"_sync_scope_id":1,"_sync_deleted":1',
      );

      await run('trim', ...here(), ...of);
      const { out } = await run('trim', ...here(), ...of);
      expect(out).toContain('and 1 tombstones');
      expect(await log.oplog.db.collection('tasks').distinct('_id')).toEqual(['t3']);
    });

    it.each([
      [['--tombstone-ttl-days', '20'], '--collections'],
      [
        ['--tombstone-ttl-days', '20', '--collections', 'sync_oplog'],
        'sync_oplog is not a collection of yours',
      ],
      [['--tombstone-ttl-days', '20', '--oplog-ttl-days', '0'], 'needs oplogTtlDays or oplogMaxEntries'],
    ])('refuses %j', async (argv, words) => {
      const { code, err } = await run('trim', ...here(), ...argv);
      expect([code, err]).toEqual([1, expect.stringContaining(words)]);
    });

    it.each([
      ['--oplog-ttl-days', 'soon'],
      ['--grace', '-1'],
      ['--oplog-max-entries', '1.5'],
      ['--receipt-ttl-days', '3'],
    ])('refuses %s %s', async (option, value) => {
      await log.append('ann', [OLD, OLD]);
      const { code, err } = await run('trim', ...here(), option, value);
      expect(code).toBe(1);
      expect(err).toMatch(/^error: .*must be/);
      expect((await log.head('ann')).floorSeq).toBe(0);
    });
  });

  describe('address and errors', () => {
    it('takes both from the environment', async () => {
      process.env.MONGODB_URI = uri;
      process.env.MONGODB_DATABASE = fresh.name;
      expect((await run('init')).out).toContain(`Database ${fresh.name}`);
    });

    it('takes the database from the URI', async () => {
      expect((await run('init', '--mongodb-uri', fresh.uri)).out).toContain(`Database ${fresh.name}`);
    });

    it.each([
      [[], 'MONGODB_URI'],
      [['--mongodb-uri', 'mongodb://127.0.0.1:1'], 'MONGODB_DATABASE'],
      [['--mongodb-uri', 'http://example.org', '--database', 'x'], 'mongodb://user:password@host'],
    ])('says what is missing: %j', async (argv, words) => {
      const { code, err, out } = await run('init', ...argv);
      expect([code, out]).toEqual([1, '']);
      expect(err).toContain(words);
      expect(err).not.toContain('    at ');
    });

    it('says that no server answers, and keeps the password to itself', async () => {
      const { code, err } = await run(
        'status',
        '--mongodb-uri=mongodb://ann:s3cret-word@127.0.0.1:1/?serverSelectionTimeoutMS=100',
        '--database=x',
      );
      expect(code).toBe(1);
      expect(err).toContain('Is it running');
      expect(err).not.toContain('s3cret-word');
      expect(err).not.toContain('    at ');
    });

    it('is a program that ends with its exit code', () => {
      const main = join(__dirname, '../../../libs/sync/src/cli/main.ts');
      const hook = join(__dirname, '../../support/ts-hook.cjs');
      const program = (...argv: string[]) =>
        spawnSync(process.execPath, ['-r', hook, main, ...argv], { encoding: 'utf8' });
      expect(program('status', ...there())).toMatchObject({ status: 1, stdout: '' });
      const { status, stdout, stderr } = program('init', ...there());
      expect([status, stderr]).toEqual([0, '']);
      expect(stdout).toContain('made      sync_oplog');
      expect(readFileSync(main, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
    });

    it('shows its commands', async () => {
      const { code, out } = await run('--help');
      expect(code).toBe(0);
      for (const command of ['init', 'status', 'trim']) expect(out).toContain(command);
    });

    it('never shows the password of the environment in its help', async () => {
      process.env.MONGODB_URI = 'mongodb://ann:s3cret-word@127.0.0.1:1/';
      const { out, err } = await run('init', '--help');
      expect(out).toContain('--mongodb-uri');
      expect(out + err).not.toContain('s3cret-word');
    });

    it('refuses an unknown option', async () => {
      expect(await run('init', '--colections', 'x')).toMatchObject({
        code: 1,
        err: expect.stringContaining('--collections'),
      });
    });
  });
});
