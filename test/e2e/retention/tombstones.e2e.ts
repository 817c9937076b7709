import { createHash } from 'node:crypto';
import mongoose, { type Connection } from 'mongoose';
import { DigestSum, digestText, type DigestAnswer, type LogChange } from 'nest-offline-sync-protocol';
import type { StoredDocument } from '../../../libs/sync/src/codec/stored-document';
import { nativeCollection } from '../../../libs/sync/src/collections/native-collection';
import { OplogRepository } from '../../../libs/sync/src/log/oplog';
import { resolveSettings } from '../../../libs/sync/src/options/settings';
import { TrimMemory } from '../../../libs/sync/src/retention/trim-plan';
import {
  trimOnce,
  type TrimDependencies,
  type TrimReport,
  type TrimSettings,
} from '../../../libs/sync/src/retention/trim-once';
import { FixedWallClock } from '../../../libs/sync/src/testing';
import { testDatabase } from '../../support/database';
import { patch, remove, startHttpApp, upsert, type Device, type HttpApp } from '../../support/http-app';
import { DAY_MS } from '../../support/seeded-log';
import { until } from '../../support/until';

const COLLECTIONS = ['notes', 'tasks', 'strict'];
const clock = new FixedWallClock(Date.now() - 40 * DAY_MS);

type Store = NonNullable<TrimDependencies['stores']>[number];

describe('retention of tombstones', () => {
  const uri = testDatabase(__filename).uri;
  let app: HttpApp;
  let connection: Connection;
  let oplog: OplogRepository;
  let stores: readonly Store[];
  const commands: mongoose.mongo.Document[] = [];

  beforeAll(async () => {
    app = await startHttpApp(uri, {
      clock,
      options: {
        tombstoneTtlDays: 20,
        collections: [
          { name: 'notes', freeForm: true, ids: 'scoped', conflict: 'client-wins' },
          { name: 'tasks', freeForm: true, ids: 'global', conflict: 'client-wins' },
          {
            name: 'strict',
            freeForm: true,
            ids: 'global',
            conflict: 'client-wins',
            deleteUpdatePolicy: 'reject_update',
          },
        ],
      },
    });
    connection = await mongoose.createConnection(uri, { monitorCommands: true }).asPromise();
    connection.getClient().on('commandStarted', ({ command }) => commands.push(command));
    oplog = new OplogRepository(connection, resolveSettings({}));
    stores = COLLECTIONS.map((name) => nativeCollection(connection, name));
  });
  beforeEach(async () => {
    clock.advance(Date.now() - 40 * DAY_MS - clock.now());
    for (const name of [...COLLECTIONS, 'sync_heads', 'sync_oplog', 'sync_receipts'])
      await app.db.collection(name).deleteMany({});
  });
  afterAll(async () => {
    await connection.close();
    await app.close();
  });

  const trim = (settings: Partial<TrimSettings> = {}, more: Partial<TrimDependencies> = {}) =>
    trimOnce(
      { oplog, stores, ...more },
      {
        oplogTtlDays: 10,
        oplogMaxEntries: undefined,
        receiptTtlDays: 365,
        tombstoneTtlDays: 20,
        trimGraceMs: 0,
        ...settings,
      },
    );
  /** The first run raises the floor of the log, the second one goes by it. */
  const trimAll = async (settings: Partial<TrimSettings> = {}): Promise<TrimReport> => {
    await trim(settings);
    return trim(settings);
  };
  const stored = (name: string, scope: string) =>
    app.db.collection<StoredDocument>(name).find({ _sync_scope_id: scope }).toArray();
  const digest = async (device: Device): Promise<DigestAnswer> =>
    (await device.send('/sync/digest')).body as DigestAnswer;
  const linesOf = async (device: Device): Promise<LogChange[]> =>
    (await device.send('/sync/full?limit=0')).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as LogChange)
      .filter(({ collection }) => collection !== undefined);

  /** What a device computes of the log that it has folded, as the protocol says. */
  const folded = (changes: readonly LogChange[], { tombstone_floor: floor }: DigestAnswer) => {
    const held = new Map(
      changes.map((change) => [JSON.stringify([change.collection, change.doc_id]), change]),
    );
    return COLLECTIONS.map((collection) => {
      const [live, deleted] = [new DigestSum(), new DigestSum()];
      for (const { collection: name, doc_id, version, operation } of held.values()) {
        if (name !== collection) continue;
        if (operation === 'delete' && floor !== null && version <= floor) continue;
        const hash = createHash('sha256')
          .update(digestText(name, doc_id, version))
          .digest();
        (operation === 'delete' ? deleted : live).add(hash);
      }
      return { collection, live: live.part, deleted: deleted.part };
    });
  };

  it('removes those below the floor that are old enough, and no others', async () => {
    const device = app.as('rules');
    await device.push([
      upsert('notes', 'a', { n: 1 }),
      upsert('notes', 'b', { n: 1 }),
      upsert('tasks', 'r', {}),
    ]);
    await device.push([remove('notes', 'a'), remove('tasks', 'r')]);
    // Below the floor, and too young.
    clock.advance(25 * DAY_MS);
    await device.push([remove('notes', 'b'), upsert('notes', 'c', {})]);
    // Above the floor.
    clock.advance(10 * DAY_MS);
    await device.push([remove('notes', 'd')]);

    expect(await trim({ tombstoneTtlDays: 0 })).toMatchObject({ raised: 1, deletedTombstones: 0 });
    expect(await trim()).toMatchObject({ deletedTombstones: 2, moreTombstones: false, finished: true });
    const left = await stored('notes', 'rules');
    expect(left.map(({ _id, _sync_deleted }) => [_id, _sync_deleted])).toEqual([
      ['["rules","b"]', true],
      ['["rules","c"]', false],
      ['["rules","d"]', true],
    ]);
    expect(await stored('tasks', 'rules')).toEqual([]);
    // However old: its entry is in the log.
    expect(await trim({ tombstoneTtlDays: 1e-9 })).toMatchObject({ deletedTombstones: 1 });
    expect((await stored('notes', 'rules')).map(({ _id }) => _id)).toEqual([
      '["rules","c"]',
      '["rules","d"]',
    ]);
  });

  it('keeps devices right: those that stand at the floor have heard of the delete, the others load again', async () => {
    const device = app.as('readers');
    await device.push([upsert('notes', 'a', { n: 1 }), upsert('notes', 'b', { n: 1 })]);
    const behind = await device.pull();
    await device.push([remove('notes', 'a')]);
    const atFloor = await device.pull(`since=${behind.last_seq}`);
    clock.advance(35 * DAY_MS);
    await device.push([upsert('notes', 'c', { n: 1 })]);
    await trimAll();
    expect(await stored('notes', 'readers')).toHaveLength(2);

    const page = await device.pull(`since=${atFloor.last_seq}`);
    expect(page.changes.map(({ doc_id }) => doc_id)).toEqual(['c']);
    expect(await device.pull(`since=${behind.last_seq}`)).toMatchObject({
      full_resync_required: true,
      reason: 'too_old',
    });
    const lines = await linesOf(device);
    expect(lines.map(({ doc_id }) => doc_id)).toEqual(['b', 'c']);
    const counted = await device.send('/sync/full?limit=0&count=true');
    expect(counted.headers.get('x-sync-count')).toBe('2');

    const answer = await digest(device);
    expect(answer.tombstone_floor).toBe(atFloor.last_seq);
    expect(answer.collections).toEqual(
      folded([...behind.changes, ...atFloor.changes, ...page.changes], answer),
    );
    expect(answer.collections).toEqual(folded(lines, answer));
  });

  describe('a change of a document whose tombstone is gone', () => {
    const gone = async (scope: string, collection: string, id: string) => {
      const device = app.as(scope);
      const made = await device.one(upsert(collection, id, { n: 1 }, { mutation_id: 'made' }));
      const deleted = await device.one(remove(collection, id));
      clock.advance(35 * DAY_MS);
      await device.push([upsert('notes', 'young', {})]);
      await trimAll();
      const left = await device.send(`/sync/documents?collection=${collection}&ids=${id}`);
      expect(left.body).toMatchObject({ documents: [], missing: [id] });
      return { device, seen: made.new_version, tombstone: deleted.new_version! };
    };

    it('stays deleted where the policy says so, whatever the device sends', async () => {
      const { device, seen, tombstone } = await gone('late', 'strict', 'late-x');
      const parent = { parent_version: seen };
      for (const change of [
        upsert('strict', 'late-x', { n: 2 }, parent),
        patch('strict', 'late-x', { data: { n: 2 } }, parent),
        upsert('strict', 'late-x', { n: 2 }, { parent_mutation_id: 'made' }),
      ])
        expect(await device.one(change)).toMatchObject({
          status: 'rejected',
          code: 'conflict_deleted',
          server_version: tombstone,
          server_document: { version: tombstone, deleted: true, data: null },
        });
      expect(await device.one(remove('strict', 'late-x', parent))).toMatchObject({
        status: 'accepted',
        new_version: tombstone,
      });
      expect(await stored('strict', 'late')).toEqual([]);
    });

    it('comes back where the policy says so, under a version above the tombstone’s', async () => {
      const { device, seen, tombstone } = await gone('back', 'tasks', 'back-x');
      const answer = await device.one(upsert('tasks', 'back-x', { n: 2 }, { parent_version: seen }));
      expect(answer).toMatchObject({ status: 'conflict_resolved', server_version: tombstone });
      expect(answer.new_version! > tombstone).toBe(true);
      const page = await device.pull(`since=${tombstone}`);
      expect(page.changes.at(-1)).toMatchObject({ doc_id: 'back-x', version: answer.new_version });
    });

    it('gets its first answer again where it is a retry', async () => {
      const { device, seen } = await gone('again', 'tasks', 'again-x');
      const retry = await device.one(upsert('tasks', 'again-x', { n: 1 }, { mutation_id: 'made' }));
      expect(retry).toMatchObject({ status: 'accepted', new_version: seen, replayed: true });
      expect(await stored('tasks', 'again')).toEqual([]);
    });

    it('is made by the app as any other', async () => {
      const { device, tombstone } = await gone('app', 'strict', 'app-x');
      const identity = { scopeId: 'app', actorId: 'the app' };
      await app.sync.transaction(identity, (tx) => tx.upsert('strict', 'app-x', { n: 3 }));
      const [line] = (await linesOf(device)).filter(({ doc_id }) => doc_id === 'app-x');
      expect(line!.version > tombstone).toBe(true);
    });

    it('belongs to who takes its global id next, and the one before learns no more than that it is taken', async () => {
      const { device, seen, tombstone } = await gone('first', 'tasks', 'freed');
      const next = app.as('second');
      expect(await next.one(upsert('tasks', 'freed', { secret: 'of second' }))).toMatchObject({
        status: 'accepted',
      });
      device.received.length = 0;
      for (const parent_version of [seen, tombstone, null])
        for (const change of [
          upsert('tasks', 'freed', { n: 2 }, { parent_version, return: 'document' }),
          patch('tasks', 'freed', { data: { n: 2 } }, { parent_version }),
          remove('tasks', 'freed', { parent_version }),
        ]) {
          const answer = await device.one(change);
          expect(answer).toMatchObject({ code: 'id_unavailable', server_version: null });
          expect(answer).not.toHaveProperty('server_document');
        }
      const retry = upsert('tasks', 'freed', { n: 1 }, { mutation_id: 'made', return: 'document' });
      expect(await device.one(retry)).toMatchObject({ replayed: true, new_version: seen });
      expect((await device.send('/sync/documents?collection=tasks&ids=freed')).body).toMatchObject({
        missing: ['freed'],
      });
      await linesOf(device);
      await device.pull(`since=${tombstone}`);
      await digest(device);
      expect(device.received.join('\n')).not.toContain('of second');
      expect((await next.read('tasks', 'freed'))?.data).toEqual({ secret: 'of second' });
    });
  });

  it('never takes a document away that a push has brought back meanwhile', async () => {
    const device = app.as('race');
    const ids = Array.from({ length: 30 }, (_, n) => `race-${String(n)}`);
    await device.push(ids.map((id) => upsert('tasks', id, { n: 1 })));
    await device.push(ids.map((id) => remove('tasks', id)));
    clock.advance(35 * DAY_MS);
    await device.push([upsert('notes', 'young', {})]);
    await trim({ tombstoneTtlDays: 0 });
    // Between the look and the removal: what was found is brought back.
    let revived: (string | null)[] = [];
    const busy = before(stores[1]!, async () => {
      const half = ids.slice(0, 15).map((id) => upsert('tasks', id, { n: 2 }));
      revived = (await device.push(half)).map(({ new_version }) => new_version);
    });
    expect(await trim({}, { stores: [busy] })).toMatchObject({ deletedTombstones: 15 });
    const left = await stored('tasks', 'race');
    expect(left.map(({ _sync_version, n }) => [_sync_version, n]).sort()).toEqual(
      revived.map((version) => [version, 2]),
    );

    // Side by side, again and again: pushes bring back and delete, runs remove.
    await device.push(ids.slice(0, 15).map((id) => remove('tasks', id)));
    let pushing = true;
    let deleted = 0;
    const runs = Array.from({ length: 2 }, async () => {
      const rules = { oplogMaxEntries: 1, oplogTtlDays: 0, tombstoneTtlDays: 1e-9 };
      while (pushing) {
        // The sum is read after the wait: the other run adds to it too.
        const { deletedTombstones } = await trim(rules);
        deleted += deletedTombstones;
      }
    });
    const accepted = new Map<string, string | null>();
    for (let round = 0; round < 40 || deleted < 20; round++) {
      // A tombstone stays for some rounds, so that runs find it.
      const isRemoval = (n: number): boolean => (n + Math.floor(round / 8)) % 3 === 0;
      const answers = await device.push(
        ids.map((id, n) => (isRemoval(n) ? remove('tasks', id) : upsert('tasks', id, { round }))),
      );
      answers.forEach(({ new_version, code }, n) => {
        expect(code).toBeNull();
        accepted.set(ids[n]!, isRemoval(n) ? null : new_version);
      });
    }
    pushing = false;
    await Promise.all(runs);
    const live = (await stored('tasks', 'race')).filter(({ _sync_deleted }) => _sync_deleted !== true);
    expect(new Map(live.map(({ _id, _sync_version }) => [_id, _sync_version]))).toEqual(
      new Map([...accepted].filter(([, version]) => version !== null)),
    );
  });

  it('may be broken off anywhere: whatever is gone counts as deleted, and the next run goes on', async () => {
    const device = app.as('stops');
    const ids = Array.from({ length: 900 }, (_, n) => `stops-${String(n)}`);
    for (const collection of ['notes', 'strict', 'tasks']) {
      await device.push(ids.map((id) => upsert(collection, id, { n: 1 })));
      await device.push(ids.map((id) => remove(collection, id)));
    }
    const changes: LogChange[] = [];
    for (let since = ''; ;) {
      const page = await device.pull(`since=${since}&limit=1000`);
      changes.push(...page.changes);
      since = page.last_seq;
      if (!page.has_more) break;
    }
    const seen = changes.find(
      ({ collection, doc_id }) => collection === 'strict' && doc_id === ids[0],
    )!.version;
    clock.advance(35 * DAY_MS);
    await device.push([upsert('notes', 'young', {})]);
    changes.push(...(await device.pull(`since=${changes.at(-1)!.version}`)).changes);
    await trim({ tombstoneTtlDays: 0 });

    const check = async (): Promise<void> => {
      const answer = await digest(device);
      expect(answer.collections).toEqual(folded(changes, answer));
      const late = upsert('strict', ids[0], { n: 2 }, { parent_version: seen });
      expect(await device.one(late)).toMatchObject({ code: 'conflict_deleted' });
    };
    const fail = stores.map((store) => before(store, () => Promise.reject(new Error('killed'))));
    await expect(trim({}, { stores: fail })).rejects.toThrow('killed');
    expect((await digest(device)).tombstone_floor).not.toBeNull();
    await check();
    let left = 2700;
    for (let commands = 1; left > 0; commands++) {
      let asked = 0;
      const report = await trim({}, { mayContinue: () => Promise.resolve(++asked < commands) });
      left -= report.deletedTombstones;
      await check();
      expect(commands).toBeLessThan(50);
    }
    expect(await stored('strict', 'stops')).toEqual([]);
  });

  it('looks for them by the index alone, and not at all where none can be due', async () => {
    const device = app.as('plans');
    await device.push([upsert('notes', 'a', {}), upsert('notes', 'live', {})]);
    await device.push([remove('notes', 'a'), remove('tasks', 'plans-none')]);
    clock.advance(35 * DAY_MS);
    await device.push([remove('notes', 'young')]);
    const memory = new TrimMemory();
    commands.length = 0;
    await trim({}, { memory });
    await trim({}, { memory });
    const finds = commands.filter(({ find }) => COLLECTIONS.includes(String(find)));
    expect(finds.length).toBeGreaterThan(3);
    for (const command of finds) {
      const plain = Object.fromEntries(
        Object.entries(command).filter(([name]) => !/^(\$|lsid$|readConcern$|maxTimeMS$)/.test(name)),
      );
      const { executionStats } = await app.db.command({ explain: plain, verbosity: 'executionStats' });
      expect(executionStats).toMatchObject({ totalDocsExamined: 0 });
    }
    await trim({}, { memory });
    commands.length = 0;
    await trim({}, { memory });
    expect(commands.filter(({ find }) => COLLECTIONS.includes(String(find)))).toEqual([]);
  });

  it('is a part of the job of the app, and is counted', async () => {
    const device = app.as('job');
    await device.push([upsert('notes', 'a', {}), remove('notes', 'b')]);
    const running = await startHttpApp(uri, {
      options: {
        collections: [{ name: 'notes', freeForm: true, ids: 'scoped' }],
        tombstoneTtlDays: 20,
        trimIntervalMs: 10,
        trimGraceMs: 0,
      },
    });
    try {
      const removed = async (): Promise<number> =>
        Number(/^sync_tombstones_removed_total (\d+)$/m.exec(await running.registry.metrics())?.[1]);
      await until(async () => (await removed()) === 1);
      expect((await stored('notes', 'job')).map(({ _id }) => _id)).toEqual(['["job","a"]']);
    } finally {
      await running.close();
    }
  });
});

/** The collection, but something happens before each removal. */
function before(store: Store, happens: () => Promise<void>): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name !== 'deleteMany') return Reflect.get(target, name, target) as unknown;
      return async (...given: Parameters<Store['deleteMany']>) => {
        await happens();
        return target.deleteMany(...given);
      };
    },
  });
}
