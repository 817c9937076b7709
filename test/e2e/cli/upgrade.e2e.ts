import mongoose, { Schema, type Connection } from 'mongoose';
import { runCli } from '../../../libs/sync/src/cli/program';
import { testDatabase } from '../../support/database';
import { startHttpApp, upsert, type Device, type HttpApp } from '../../support/http-app';
import { FailPoints } from '../../support/fail-point';
import { LegacyDatabase } from '../../support/legacy-database';

const COLLECTIONS = ['tasks', 'items'];
const ITEM_IDS = Array.from({ length: 4 }, (_, n) => `65f00000000000000000000${String(n)}`);

describe('nest-offline-sync upgrade, from fastapi-offline-sync', () => {
  const { uri, name: database, serverUri, drop } = testDatabase(__filename);
  let connection: Connection;
  let old: LegacyDatabase;
  let app: HttpApp | undefined;

  beforeAll(async () => {
    connection = await mongoose.createConnection(uri).asPromise();
  });
  beforeEach(async () => {
    old = new LegacyDatabase(connection.db as never);
    await old.init(COLLECTIONS);
  });
  afterEach(async () => {
    await app?.close();
    app = undefined;
    await drop();
  });
  afterAll(() => connection.close());

  const cli = async (...argv: string[]) => {
    const result = { code: -1, out: '', err: '' };
    result.code = await runCli([...argv, '--mongodb-uri', serverUri, '--database', database], {
      out: (text) => (result.out += text),
      err: (text) => (result.err += text),
    });
    return result;
  };
  const upgraded = async (...argv: string[]): Promise<Record<string, unknown>> => {
    const { code, out, err } = await cli('upgrade', '--json', ...argv);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    return JSON.parse(out) as Record<string, unknown>;
  };
  /** The new server, with the options of the guide. */
  const start = async (): Promise<HttpApp> =>
    (app = await startHttpApp(uri, {
      models: [
        {
          name: 'Item',
          collection: 'items',
          schema: new Schema({ name: String, qty: Number }, { versionKey: false }),
        },
      ],
      options: {
        collections: [
          { name: 'tasks', freeForm: true, ids: 'global' },
          { name: 'items', ids: 'global' },
        ],
      },
    }));
  const pulled = async (device: Device, since: string): Promise<unknown> => {
    const { body } = await device.send(`/sync/pull?since=${since}&limit=1000`);
    const { changes, ...rest } = body as { changes?: { version: string }[] };
    return changes ? changes.map(({ version }) => version) : rest;
  };
  /** What a device has that loads everything, by its id. */
  const loaded = async (device: Device): Promise<Record<string, unknown>> => {
    const { text } = await device.send('/sync/full?limit=1000');
    const lines = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { doc_id?: unknown; data: unknown });
    return Object.fromEntries(
      lines.filter((line) => 'doc_id' in line).map(({ doc_id, data }) => [String(doc_id), data]),
    );
  };

  it('the engine refuses the old log, and names the command', async () => {
    await old.push('shop', 'tasks', 'a', { n: 1 });
    await old.push('shop', 'tasks', 'b', { n: 1 });
    // As the app does at its start.
    const refused = { code: 1, err: expect.stringMatching(/nest-offline-sync upgrade/) as string };
    expect(await cli('init', '--collections', 'tasks')).toMatchObject(refused);
  });

  it('devices go on from each of their cursors, or load again where the old server would have told them so', async () => {
    const versions: string[] = [];
    for (let n = 0; n < 40; n++) {
      const id = n % 2 === 0 ? `task ${String(n % 7)}` : n;
      const [collection, data] =
        n % 3 === 0 ? ['items', { name: `i${String(n)}`, qty: n }] : ['tasks', { n, on: true }];
      const doc = collection === 'items' ? (ITEM_IDS[n % 4] ?? '') : id;
      versions.push(await old.push('shop', collection, doc, n % 9 === 8 ? null : data));
    }
    // Of one scope the beginning has expired, of one all, and one had a busy millisecond.
    const trimmed: string[] = [];
    for (let n = 0; n < 6; n++) trimmed.push(await old.push('trimmed', 'tasks', `t${String(n)}`, { n }));
    await old.expire('trimmed', trimmed[2] ?? '');
    await old.store('silent', 'tasks', 's1', { n: 1 });
    const busy: string[] = [await old.push('busy', 'tasks', 'b0', { n: 0 })];
    busy.push(await old.push('busy', 'tasks', 'b1', { n: 1 }, { version: old.version(10_000) }));
    busy.push(await old.push('busy', 'tasks', 'b2', { n: 2 }));
    const answers = new Map<string, string[] | undefined>();
    for (const scope of ['shop', 'trimmed'])
      for (const since of scope === 'shop' ? versions : trimmed)
        answers.set(`${scope} ${since}`, await old.pull(scope, since, COLLECTIONS));

    // A service of the old server that wrote its documents itself.
    await connection.collection('tasks').updateOne({ _id: 's1' as never }, { $unset: { _sync_deleted: '' } });
    const before = JSON.stringify(await connection.collection('sync_oplog').find().toArray());
    expect(await upgraded('--dry-run')).toMatchObject({ scopes: 3, entries: 44, dropped: 2 });
    expect(JSON.stringify(await connection.collection('sync_oplog').find().toArray())).toBe(before);
    expect(await upgraded()).toMatchObject({
      ...{ scopes: 4, entries: 44, dropped: 2, late: 0, reloads: 1 },
      collections: [
        { collection: 'items', types: { objectId: 4 } },
        {
          collection: 'tasks',
          types: { int: expect.any(Number) as unknown, string: expect.any(Number) as unknown },
        },
      ],
    });
    expect(await connection.collection('tasks').findOne({ _id: 's1' as never })).toMatchObject({
      _sync_deleted: false,
    });
    // A second run has nothing to do.
    expect(await upgraded()).toMatchObject({ scopes: 4, entries: 0, dropped: 0, reloads: 0 });
    const repaired = await cli('verify', '--repair', '--hidden', 'none');
    expect(repaired).toMatchObject({ code: 0 });

    const { as } = await start();
    for (const [name, expected] of answers) {
      const [scope = '', since = ''] = name.split(' ');
      expect(await pulled(as(scope), since)).toEqual(
        expected ?? { full_resync_required: true, collections: COLLECTIONS, reason: 'too_old' },
      );
    }
    for (const [scope, since, reason] of [
      ['silent', versions[3], 'too_old'],
      ['busy', busy[0], 'too_old'],
      ['shop', '', 'too_old'],
      // The old server made one up where it had no entry.
      ['shop', old.version(), 'unknown_cursor'],
    ] as const)
      expect(await pulled(as(scope), since ?? '')).toMatchObject({ full_resync_required: true, reason });
    expect(await loaded(as('silent'))).toEqual({ s1: { n: 1 } });
    expect(await loaded(as('busy'))).toEqual({ b0: { n: 0 }, b1: { n: 1 }, b2: { n: 2 } });

    // A device sends what it has edited on the old server's version; a stale one is refused as there.
    const item = ITEM_IDS[3] ?? '';
    const stored = await connection.collection('items').findOne({ _id: new mongoose.Types.ObjectId(item) });
    const device = as('shop');
    const edit = { ...upsert('items', item, { name: 'edited', qty: 1 }) };
    const stale = await device.one({ ...edit, parent_version: versions[0] });
    expect(stale).toMatchObject({ status: 'rejected', server_version: stored?.['_sync_version'] });
    const taken = await device.one({ ...edit, parent_version: stored?.['_sync_version'] as string });
    expect(taken).toMatchObject({ status: 'accepted', doc_id: item });
    expect(await pulled(device, versions.at(-1) ?? '')).toEqual([taken.new_version]);
    expect(await cli('verify')).toMatchObject({ code: 0 });
  });

  it('finds what the old server has lost, and --reload brings it to all devices', async () => {
    const first = await old.push('shop', 'tasks', 'mine', { n: 1 });
    const second = await old.push('shop', 'tasks', 'other', { n: 1 });
    // Another tenant took a document over; a service wrote one without its entry.
    await old.push('rival', 'tasks', 'mine', { n: 2 });
    await old.store('shop', 'tasks', 'unlogged', { n: 3 });
    await upgraded();
    const { code, out } = await cli('verify');
    expect(code).toBe(1);
    expect(out).toMatch(/shop tasks "unlogged": no entry tells of this version/);
    expect(await cli('verify', '--repair', '--hidden', 'none')).toMatchObject({ code: 0 });
    await start();
    expect(await pulled(app!.as('shop'), second)).toMatchObject({ reason: 'too_old' });
    expect(await loaded(app!.as('shop'))).toEqual({ other: { n: 1 }, unlogged: { n: 3 } });
    expect(await loaded(app!.as('rival'))).toEqual({ mine: { n: 2 } });
    expect(first < second).toBe(true);
  });

  it('with --reload no cursor is good any more', async () => {
    const version = await old.push('shop', 'tasks', 'a', { n: 1 });
    await old.push('shop', 'tasks', 'b', { n: 1 });
    expect(await upgraded('--reload')).toMatchObject({ scopes: 1, entries: 2, reloads: 1 });
    await start();
    expect(await pulled(app!.as('shop'), version)).toMatchObject({ reason: 'too_old' });
    expect(await cli('verify')).toMatchObject({ code: 0 });
    await app!.as('shop').push([upsert('tasks', 'c', { n: 1 })]);
    expect(await cli('verify')).toMatchObject({ code: 0 });
  });
});

describe('commands that are killed', () => {
  const database = 'upgrade_killed';
  let failPoints: FailPoints;
  let connection: Connection;

  beforeAll(async () => {
    failPoints = await FailPoints.start();
    connection = await mongoose.createConnection(failPoints.uri(database)).asPromise();
  });
  afterAll(async () => {
    await connection.close();
    await failPoints.close();
  });

  const cli = async (...argv: string[]): Promise<{ code: number; text: string }> => {
    let text = '';
    const out = (part: string): void => void (text += part);
    const code = await runCli([...argv, '--mongodb-uri', failPoints.uri(database)], { out, err: out });
    return { code, text };
  };
  const tasks = (): Promise<object[]> => connection.collection('tasks').find().sort({ _id: 1 }).toArray();

  it.each([0, 3, 8])('upgrade, behind %i of its writes, is finished by the next run', async (skip) => {
    await connection.dropDatabase();
    const old = new LegacyDatabase(connection.db as never);
    await old.init(['tasks']);
    const versions: Record<string, string[]> = { a: [], b: [] };
    for (let n = 0; n < 12; n++) {
      const scope = n % 2 ? 'a' : 'b';
      versions[scope]?.push(await old.push(scope, 'tasks', n, { n }));
    }
    const before = await tasks();
    const commands = ['update', 'insert', 'dropIndexes', 'createIndexes', 'create'];
    await failPoints.set({ commands, appName: 'nest-offline-sync', errorCode: 50, skip });
    const killed = await cli('upgrade');
    await failPoints.off();
    expect(killed.code).toBe(1);
    // A device's push has come to the old server meanwhile, if that could still write it.
    const late = await old.push('a', 'tasks', 99, { n: 99 }).catch(() => undefined);
    if (late !== undefined) versions['a']?.push(late);

    expect(await cli('upgrade')).toMatchObject({ code: 0 });
    const entries = await connection.collection('sync_oplog').find().sort({ scope: 1, seq: 1 }).toArray();
    const heads = connection.collection<{ _id: string }>('sync_heads');
    for (const [scope, own] of Object.entries(versions)) {
      const logged = entries.filter((entry) => entry['scope'] === scope);
      const isLate = scope === 'a' && late !== undefined && logged.length === own.length - 1;
      const kept = isLate ? own.slice(0, -1) : own;
      expect(logged.map(({ seq, version }) => [seq, version])).toEqual(
        kept.map((version, n) => [n + 1, version]),
      );
      expect(await heads.findOne({ _id: scope })).toMatchObject({ seq: kept.length, floor: kept[0] });
    }
    expect(entries.flatMap((entry) => Object.keys(entry))).not.toContain('scope_id');
    expect(await tasks()).toEqual(expect.arrayContaining(before));
    // What came too late for its entry to be kept is in the document, and is recorded by that.
    expect(await cli('verify', '--repair', '--hidden', 'none')).toMatchObject({ code: 0 });
    expect(await cli('verify')).toMatchObject({ code: 0 });
  });

  it.each([0])('verify --repair, behind %i of its writes, is finished by the next run', async (skip) => {
    await connection.dropDatabase();
    const old = new LegacyDatabase(connection.db as never);
    await old.init(['tasks']);
    for (let n = 0; n < 12; n++) await old.push(`s${String(n % 3)}`, 'tasks', n, { n });
    expect(await cli('upgrade')).toMatchObject({ code: 0 });
    const collection = connection.collection<{ _id: number; n: number }>('tasks');
    await collection.updateMany({ n: { $gt: 9 } }, { $inc: { n: 100 } });
    await collection.deleteOne({ _id: 3 });
    await connection.collection<{ _id: string }>('sync_heads').deleteOne({ _id: 's2' });
    const before = await tasks();
    const commands = ['update', 'insert', 'findAndModify', 'commitTransaction'];
    await failPoints.set({ commands, appName: 'nest-offline-sync', errorCode: 50, skip: skip + 3 });
    const killed = await cli('verify', '--repair', '--hidden', 'none');
    await failPoints.off();
    expect(killed).toMatchObject({ code: 2 });
    // A lease of a run that was killed holds for some seconds.
    await connection.collection<{ _id: string }>('sync_leases').deleteMany({ _id: 'verify' });
    expect(await cli('verify', '--repair', '--hidden', 'none')).toMatchObject({ code: 0 });
    expect(await cli('verify')).toMatchObject({ code: 0 });
    const heads = await connection.collection('sync_heads').find().sort({ _id: 1 }).toArray();
    // Their logs had begun with the upgrade, or were lost: devices load these scopes again.
    expect(heads.map(({ _id, floorSeq }) => [String(_id), Number(floorSeq) > 4])).toEqual([
      ['s0', true],
      ['s1', true],
      ['s2', true],
    ]);
    const kept = before.map((row): unknown => expect.objectContaining(own(row)));
    expect(await tasks()).toEqual(expect.arrayContaining(kept));
  });
});

/** What the app has stored. */
function own(row: object): object {
  return Object.fromEntries(Object.entries(row).filter(([key]) => !key.startsWith('_sync_')));
}
