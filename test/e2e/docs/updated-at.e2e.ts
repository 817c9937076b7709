import type { Type } from '@nestjs/common';
import { getConnectionToken, MongooseModule } from '@nestjs/mongoose';
import { Test, type TestingModule } from '@nestjs/testing';
import mongoose, { type Connection } from 'mongoose';
import {
  SyncAdminService,
  SyncModule,
  SyncService,
  type LogChange,
  type SyncIdentity,
} from 'nest-offline-sync';
import { runCli } from '../../../libs/sync/src/cli/program';
import { testDatabase } from '../../support/database';
import { moduleOn } from '../../support/page-module';
import { until } from '../../support/until';

const PAGE = 'docs/migrating.md';
const { VisitsModule } = moduleOn(PAGE, 'visits.module.ts') as { VisitsModule: Type };
const { SoftDeletes } = moduleOn(PAGE, 'soft-deletes.ts') as {
  SoftDeletes: Type<{ makeReal(): Promise<number> }>;
};

interface Visit {
  _id: mongoose.Types.ObjectId;
  business_id: string;
  title: string;
  deleted: boolean;
  updatedAt: Date;
}
type State = Record<string, string>;

/** The app as it was: routes by `updatedAt`, and a device that asks them. */
class OldApp {
  private since = new Date(0);
  private readonly documents = new Map<string, string>();

  constructor(private readonly connection: Connection) {}

  get device(): State {
    return Object.fromEntries(this.documents);
  }

  private get visits() {
    return this.connection.collection<Visit>('visits');
  }

  async create(title: string, business_id = 'north'): Promise<mongoose.Types.ObjectId> {
    const _id = new mongoose.Types.ObjectId();
    await this.visits.insertOne({ _id, business_id, title, deleted: false, updatedAt: new Date() });
    return _id;
  }

  async set(_id: mongoose.Types.ObjectId, fields: Partial<Visit>): Promise<void> {
    await this.visits.updateOne({ _id }, { $set: { ...fields, updatedAt: new Date() } });
  }

  /** Everything since the last time, as the old route answers. */
  async refresh(): Promise<void> {
    const rows = await this.visits
      .find({ business_id: 'north', updatedAt: { $gte: this.since } })
      .sort({ updatedAt: 1 })
      .toArray();
    for (const { _id, title, deleted, updatedAt } of rows) {
      this.since = updatedAt;
      if (deleted) this.documents.delete(String(_id));
      else this.documents.set(String(_id), title);
    }
  }
}

describe('the steps of docs/migrating.md from a sync by updatedAt', () => {
  const { uri, name: database, serverUri } = testDatabase(__filename);
  const north: SyncIdentity = { scopeId: 'north', actorId: 'new device' };
  let connection: Connection;
  let running: TestingModule | undefined;

  beforeAll(async () => {
    connection = await mongoose.createConnection(uri).asPromise();
  });
  afterAll(async () => {
    await running?.close();
    await connection.close();
  });

  it('old and new devices see the same for as long as both live, and the retired flag becomes a delete', async () => {
    const old = new OldApp(connection);
    const [first, second] = [await old.create('first'), await old.create('second')];
    const gone = await old.create('gone');
    await old.set(gone, { deleted: true });
    await old.create('of another business', 'south');

    // Step 2.
    let text = '';
    const argv = ['adopt', '--collection', 'visits', '--scope-field', 'business_id', '--no-log'];
    const out = { out: (part: string) => (text += part), err: (part: string) => (text += part) };
    expect(await runCli([...argv, '--mongodb-uri', serverUri, '--database', database], out)).toBe(0);
    expect(text).toMatch(/Adopted 4 documents of visits into 2 scopes/);
    const between = await old.create('made between two steps');

    // Step 3: steps 1's module, as the page has it.
    running = await Test.createTestingModule({
      imports: [
        MongooseModule.forRoot(uri),
        SyncModule.forRoot({
          http: false,
          stream: false,
          trimIntervalMs: 0,
          jwt: { secret: 'a secret that is long enough for tests, is it not' },
        }),
        VisitsModule,
      ],
      providers: [
        {
          provide: SoftDeletes,
          useFactory: (sync: SyncService, db: Connection) => new SoftDeletes(sync, db),
          inject: [SyncService, getConnectionToken()],
        },
      ],
    }).compile();
    await running.init();
    const sync = running.get(SyncService);

    // Step 4: a new device loads, and follows.
    const device = new NewDevice(sync, north);
    await device.load();
    await until(async () => (await device.follow(), device.shown[String(between)] !== undefined));
    expect(device.shown).toEqual({
      [String(first)]: 'first',
      [String(second)]: 'second',
      [String(between)]: 'made between two steps',
    });
    const same = () =>
      until(async () => {
        await device.follow();
        await old.refresh();
        return JSON.stringify(sorted(device.shown)) === JSON.stringify(sorted(old.device));
      });
    await same();
    // Side by side.
    await old.set(first, { title: 'edited by the old one' });
    const made = new mongoose.Types.ObjectId();
    await device.push(String(made), { title: 'made by the new one', business_id: 'south', deleted: false });
    await same();
    expect(old.device[String(made)]).toBe('made by the new one');
    await device.push(String(second), { title: 'second', business_id: 'north', deleted: true });
    await old.set(between, { deleted: true });
    await same();
    expect(Object.keys(device.shown).sort()).toEqual([String(first), String(made)].sort());

    // Step 5.
    await old.create('left over', 'south').then((id) => old.set(id, { deleted: true }));
    const visits = connection.collection<Visit>('visits');
    await until(async () => (await visits.countDocuments({ deleted: true, _sync_scope_id: null })) === 0);
    expect(await running.get<{ makeReal(): Promise<number> }>(SoftDeletes).makeReal()).toBe(4);
    expect(await visits.countDocuments({ deleted: true })).toBe(0);
    await device.follow();
    expect(device.deletes.sort()).toEqual([gone, second, between].map(String).sort());
    expect(device.shown).toEqual(old.device);
    expect(await running.get(SyncAdminService).verify()).toMatchObject({ differences: 0 });
  });
});

/** A device of the new kind: it hides what is soft-deleted, as the page says. */
class NewDevice {
  private readonly documents = new Map<string, { title: string; deleted?: boolean; version: string }>();
  readonly deletes: string[] = [];
  private cursor = '';

  constructor(
    private readonly sync: SyncService,
    private readonly identity: SyncIdentity,
  ) {}

  get shown(): State {
    const live = [...this.documents].filter(([, { deleted }]) => deleted !== true);
    return Object.fromEntries(live.map(([id, { title }]) => [id, title]));
  }

  async load(): Promise<void> {
    const page = await this.sync.full(this.identity, { limit: 0 });
    let text = '';
    for await (const chunk of page.lines) text += String(chunk);
    for (const line of text.split('\n').filter((part) => part.includes('"doc_id"')))
      this.take(JSON.parse(line) as LogChange);
    this.cursor = page.lastSeq;
  }

  async follow(): Promise<void> {
    const page = await this.sync.pull(this.identity, { since: this.cursor, limit: 1000 });
    // The first comparison of what is captured may find that nobody can tell what is gone.
    if (!('changes' in page)) return this.load();
    for (const change of page.changes) this.take(change);
    this.cursor = page.last_seq;
  }

  async push(id: string, data: object): Promise<void> {
    const { results } = await this.sync.push(this.identity, {
      client_id: 'new',
      changes: [
        {
          collection: 'visits',
          operation: 'upsert',
          doc_id: id,
          data,
          parent_version: this.documents.get(id)?.version,
        },
      ],
    });
    expect(results).toMatchObject([{ status: 'accepted' }]);
  }

  private take({ doc_id, data, version }: Pick<LogChange, 'doc_id' | 'data' | 'version'>): void {
    const id = String(doc_id);
    if (data) this.documents.set(id, { ...(data as { title: string }), version });
    else if (this.documents.delete(id)) this.deletes.push(id);
  }
}

function sorted(state: State): unknown {
  return Object.entries(state).sort(([a], [b]) => (a < b ? -1 : 1));
}
