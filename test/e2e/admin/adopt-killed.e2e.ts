import { Schema, Types, type mongo } from 'mongoose';
import { SyncAdminService, type AdoptReport } from 'nest-offline-sync';
import { CrashPoint, describeStep, type Fault, type Step } from '../../harness/crash-points/crash-point';
import { CrashingProxy } from '../../harness/crash-points/crashing-proxy';
import { testDatabase } from '../../support/database';
import { agreedState, startWritesApp, upsertOf, type WritesApp } from '../../support/writes-app';

const WRITES = ['insert', 'update', 'bulkWrite', 'findAndModify', 'delete'];
const DOCUMENTS = 30;
/** A process that was killed gets no answer, not even an error. */
const MORTAL = {
  serverSelectionTimeoutMS: 2_000,
  serverMonitoringMode: 'poll',
  connectTimeoutMS: 0,
} as const;

interface Stored {
  readonly _id: Types.ObjectId;
  readonly shop: string;
  readonly _sync_scope_id?: string;
}

interface Lease {
  readonly _id: string;
  /** Of a process. */
  readonly sessions?: readonly mongo.Binary[];
}

/** An adoption that is killed, and what was left open of it. */
interface Victim {
  readonly steps: readonly Step[];
  readonly close: () => Promise<void>;
}

describe('an adoption that is killed', () => {
  const database = testDatabase(__filename);
  let app: WritesApp;
  let runs = 0;
  const victims: Victim[] = [];

  const start = (uri: string, client: mongo.MongoClientOptions = {}): Promise<WritesApp> =>
    startWritesApp(uri, {}, client, (schema) => {
      schema.add({ shop: Schema.Types.Mixed } as never);
    });
  beforeAll(async () => {
    app = await start(database.uri);
  });
  afterAll(async () => {
    await Promise.all(victims.map(({ close }) => close()));
    await app.close();
  });

  const items = () => app.oplog.db.collection<Stored>('items');
  const leases = () => app.oplog.db.collection<Lease>('sync_leases');
  const adopt = (by: WritesApp, log: boolean): Promise<AdoptReport> =>
    by.app.get(SyncAdminService).adopt({ collection: 'items', scopeField: 'shop', log });
  const sessionsOf = async (): Promise<Map<string, { id: unknown }[]>> => {
    const rows = await leases()
      .find({ _id: /^process:/ })
      .toArray();
    return new Map(rows.map(({ _id, sessions = [] }) => [_id, sessions.map((id) => ({ id }))]));
  };

  const cursorOf = async (scopeId: string): Promise<string> => {
    const page = await app.sync.pull({ scopeId, actorId: 'ann' }, {});
    if (!('changes' in page)) throw new Error('a full resync was required');
    return page.last_seq;
  };
  /** The ids of what a device gets that loads everything. */
  const loaded = async (scopeId: string): Promise<string[]> => {
    const page = await app.sync.full({ scopeId, actorId: 'ann' }, { limit: 0, collections: ['items'] });
    let text = '';
    for await (const chunk of page.lines) text += String(chunk);
    const lines = text.split('\n').filter((line) => line.includes('"doc_id"'));
    return lines.map((line) => (JSON.parse(line) as { doc_id: string }).doc_id).sort();
  };

  /** Scopes of its own, so that the proxy knows what belongs to it. */
  async function scopesWithDocuments(): Promise<{ readonly id: number; readonly scopes: readonly string[] }> {
    const id = ++runs;
    const scopes = ['a', 'b'].map((letter) => `case-${String(id)}-${letter}`);
    await items().deleteMany({});
    await items().insertMany(
      Array.from({ length: DOCUMENTS }, (_, n) => ({
        ...{ _id: new Types.ObjectId(), name: `item ${String(n)}`, stock: n, state: 'old' },
        shop: scopes[n % scopes.length] ?? '',
      })),
    );
    // One has a log and devices already.
    await app.push({ scopeId: scopes[0] ?? '', actorId: 'ann' }, [upsertOf('drafts', `d-${String(id)}`, {})]);
    return { id, scopes };
  }

  /** Runs up to the fault; none: to the end. Then the database sees its connections break. */
  async function killed(
    id: number,
    log: boolean,
    at?: readonly [step: number, fault: Fault],
  ): Promise<Victim> {
    const url = new URL(database.uri);
    const proxy = await CrashingProxy.before(Number(url.port));
    url.port = String(proxy.port);
    url.searchParams.set('directConnection', 'true');
    const others = await sessionsOf();
    const victim = await start(url.href, MORTAL);
    const point = new CrashPoint(id, at ? { faults: new Map([at]) } : {});
    proxy.watch(point);
    const run = adopt(victim, log);
    run.catch(() => undefined);
    await (at ? point.allStruck : run);
    proxy.kill();
    const close = async (): Promise<void> => {
      await proxy.close();
      await victim.close();
    };
    const one = { steps: point.steps, close };
    victims.push(one);
    // What others do when it has been silent for some seconds.
    for (const [name, sessions] of await sessionsOf()) {
      if (others.has(name)) continue;
      if (sessions.length > 0) await app.oplog.db.admin().command({ killSessions: sessions });
      await leases().deleteOne({ _id: name });
    }
    await leases().deleteMany({ _id: /^adopt/ });
    return one;
  }

  it.each([true, false])(
    'after any of its writes leaves nothing half done, and the next run ends it (log: %s)',
    async (log) => {
      const { id } = await scopesWithDocuments();
      const { steps } = await killed(id, log);
      const points = steps.flatMap((step): [Step, Fault][] => {
        if (step.name === 'commitTransaction')
          return [
            [step, 'dies-before'],
            [step, 'dies-after'],
          ];
        return WRITES.includes(step.name) ? [[step, 'dies-after']] : [];
      });
      expect(points.length).toBeGreaterThan(3);
      for (const [step, fault] of points) {
        const { id: own, scopes } = await scopesWithDocuments();
        const cursors = await Promise.all(scopes.map(cursorOf));
        const victim = await killed(own, log, [step.index, fault]);
        const where = `${fault} ${describeStep(step)}`;
        expect(victim.steps.map(describeStep)[step.index]).toBe(describeStep(step));
        if (log) for (const scopeId of scopes) await agreedState(app, { scopeId, actorId: 'ann' });
        await adopt(app, log);
        const rows = await items().find({}).toArray();
        for (const [at, scopeId] of scopes.entries()) {
          const there = rows.filter((row) => row.shop === scopeId);
          expect([where, new Set(there.map((row) => row._sync_scope_id))]).toEqual([
            where,
            new Set([scopeId]),
          ]);
          const ids = there.map(({ _id }) => String(_id)).sort();
          expect([where, await loaded(scopeId)]).toEqual([where, ids]);
          const page = await app.sync.pull({ scopeId, actorId: 'ann' }, { since: cursors[at] });
          if (!log) expect([where, page]).toMatchObject([where, { reason: 'too_old' }]);
          else {
            await agreedState(app, { scopeId, actorId: 'ann' });
            const told = 'changes' in page ? page.changes.map(({ doc_id }) => String(doc_id)).sort() : [];
            expect([where, told]).toEqual([where, ids]);
          }
        }
        expect(await app.oplog.heads.countDocuments({ adopting: { $exists: true } })).toBe(0);
      }
    },
    120_000,
  );
});
