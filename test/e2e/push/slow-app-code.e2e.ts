import { setTimeout as delay } from 'node:timers/promises';
import { Schema } from 'mongoose';
import type { PushResult, SyncOptions } from 'nest-offline-sync';
import { Validate, ValidatorConstraint, type ValidatorConstraintInterface } from 'class-validator';
import { testDatabase } from '../../support/database';
import { startHttpApp, upsert, type HttpApp } from '../../support/http-app';

const range = (length: number): number[] => Array.from({ length }, (_, n) => n);
const codes = (results: readonly PushResult[]): (string | null)[] => results.map(({ code }) => code);

/** Code of the app that is done with most things at once, and with some only when the test says so. */
class Gate {
  private release: () => void = () => undefined;
  private opened!: Promise<void>;
  running = 0;
  most = 0;

  constructor() {
    this.close();
  }

  async pass(isStuck: boolean): Promise<void> {
    if (isStuck) await this.opened;
  }

  open(): void {
    this.release();
  }

  close(): void {
    this.opened = new Promise((resolve) => (this.release = resolve));
  }

  /** Lets nobody pass until that many are there: one after another they would wait forever. */
  async together(count: number): Promise<void> {
    this.running += 1;
    this.most = Math.max(this.most, this.running);
    if (this.most >= count) this.open();
    await this.opened;
    await Promise.resolve();
    this.running -= 1;
  }
}

const gate = new Gate();
const crowd = new Gate();
const resolvers = new Gate();
const isStuck = (data: object | null): boolean => data !== null && 'stuck' in data;

@ValidatorConstraint({ async: true })
class Slowly implements ValidatorConstraintInterface {
  async validate(value: unknown): Promise<boolean> {
    await gate.pass(value === true);
    return true;
  }
}

class SlowDto {
  @Validate(Slowly)
  stuck?: boolean;
}

const slowSchema = new Schema({
  _id: String,
  stuck: {
    type: Boolean,
    validate: async (value: boolean) => {
      await gate.pass(value);
      return true;
    },
  },
});

const COLLECTIONS: SyncOptions['collections'] = [
  {
    ...{ name: 'transformed', freeForm: true, ids: 'scoped' },
    transform: async (_, data) => {
      await gate.pass(isStuck(data));
      return data;
    },
  },
  {
    ...{ name: 'crowded', freeForm: true, ids: 'scoped' },
    transform: async (_, data) => {
      await crowd.together(8);
      return data;
    },
  },
  {
    ...{ name: 'late', freeForm: true, ids: 'scoped' },
    transform: async (_, data) => {
      await delay(300);
      return data;
    },
  },
  { name: 'checked', freeForm: true, ids: 'scoped', dto: SlowDto },
  { name: 'modelled', ids: 'scoped' },
  {
    ...{ name: 'guarded', freeForm: true, ids: 'scoped' },
    authorizer: async (_, __, action) => {
      await gate.pass(action === 'upsert');
      return true;
    },
  },
  {
    ...{ name: 'resolved', freeForm: true, ids: 'scoped' },
    resolver: async ({ change: { data }, current }) => {
      await gate.pass(isStuck(data));
      if (data !== null && 'crowd' in data) await resolvers.together(8);
      return { ...current, ...data, resolved: true };
    },
  },
];

describe('code of the app that takes its time', () => {
  let app: HttpApp;
  let patient: HttpApp;
  const database = testDatabase(__filename);
  const models = [{ name: 'Modelled', schema: slowSchema, collection: 'modelled' }];

  beforeAll(async () => {
    app = await startHttpApp(database.uri, {
      models,
      options: { collections: COLLECTIONS, prepareTimeoutMs: 300 },
    });
    patient = await startHttpApp(database.uri, {
      models,
      // The database may be waited for only a moment, the code of the app for long.
      options: { collections: COLLECTIONS, retryDeadlineMs: 2_000, prepareTimeoutMs: 60_000 },
    });
  });
  afterEach(() => {
    gate.open();
    gate.close();
  });
  afterAll(async () => {
    await app.close();
    await patient.close();
  });

  it('processes the changes of a push concurrently, a bounded number of them', async () => {
    const results = await patient.as('crowd').push(
      range(60).map((n) => upsert('crowded', `d${String(n)}`, { n })),
      { atomic: 'batch' },
    );
    expect(results.map(({ doc_id }) => doc_id)).toEqual(range(60).map((n) => `d${String(n)}`));
    expect(codes(results)).toEqual(range(60).map(() => null));
    expect(crowd.most).toBeLessThanOrEqual(16);
  });

  it('does not use up the time to wait for the database', async () => {
    const changes = range(200).map((n) => upsert('late', `d${String(n)}`, { n }));
    expect(codes(await patient.as('late').push(changes))).toEqual(range(200).map(() => null));
  });

  it.each([
    ['transformed', 'the transform of collection transformed'],
    ['checked', 'the DTO of collection checked'],
    ['modelled', 'the validators of collection modelled'],
  ])('%s: what is done in time is committed, and the rest is sent again', async (collection, waitedFor) => {
    const device = app.as(collection);
    const changes = [
      upsert(collection, 'a', {}, { mutation_id: '1' }),
      upsert(collection, 'b', { stuck: true }, { mutation_id: '2' }),
      upsert(collection, 'c', {}, { mutation_id: '3' }),
      // Would overtake the one that it was made after.
      upsert(collection, 'b', {}, { mutation_id: '4' }),
    ];
    const results = await device.push(changes, { atomic: 'mutation' });
    expect(codes(results)).toEqual([null, 'preparation_timeout', null, 'preparation_timeout']);
    expect(results[1]!.error).toContain(waitedFor);
    expect(results[1]!.mutation_id).toBe('2');
    gate.open();
    const again = await device.push(changes, { atomic: 'mutation' });
    expect(again.map(({ status, replayed }) => [status, replayed])).toEqual([
      ['accepted', true],
      ['accepted', undefined],
      ['accepted', true],
      ['accepted', undefined],
    ]);
    expect((await device.read(collection, 'b'))?.data).not.toHaveProperty('stuck');
  });

  it('says how many changes of a batch were done, and what was waited for', async () => {
    const stuck = range(5).map((n) => upsert('transformed', `s${String(n)}`, { stuck: true }));
    const done = range(7).map((n) => upsert('transformed', `d${String(n)}`, { n }));
    const answer = await app.as('batch').tryPush([...done, ...stuck], { atomic: 'batch' });
    expect(answer).toMatchObject({ status: 503, body: { code: 'preparation_timeout' } });
    expect(answer.text).toMatch(/7 of 12 changes .*the transform of collection transformed.* at most 7/);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect((await app.as('batch').pull()).changes).toEqual([]);
    expect(codes(await app.as('batch').push(done, { atomic: 'batch' }))).toEqual(range(7).map(() => null));
  });

  it('waits for an authorizer no longer than that, and asks it once', async () => {
    const changes = [upsert('guarded', 'a', {}), upsert('transformed', 'a', {}), upsert('guarded', 'b', {})];
    const results = await app.as('guarded').push(changes, { atomic: 'mutation' });
    expect(codes(results)).toEqual(['preparation_timeout', null, 'preparation_timeout']);
    expect(results[0]!.error).toContain('the authorizer of collection guarded');
  });

  describe('a conflict resolver', () => {
    /** Two versions of each document: who still knows the first one meets a conflict. */
    async function conflicts(scope: string, count: number, data: (n: number) => object): Promise<object[]> {
      const device = patient.as(scope, 'bea', 'other');
      const first = await device.push(range(count).map((n) => upsert('resolved', `d${String(n)}`, { n: 1 })));
      const parents = first.map(({ new_version: parent_version }) => ({ parent_version }));
      await device.push(parents.map((parent, n) => upsert('resolved', `d${String(n)}`, { n: 2 }, parent)));
      return parents.map((parent, n) =>
        upsert('resolved', `d${String(n)}`, data(n), { ...parent, mutation_id: `m${String(n)}` }),
      );
    }

    it('is called for several changes of a push concurrently', async () => {
      const changes = await conflicts('resolvers', 40, (n) => ({ crowd: n }));
      const results = await patient.as('resolvers').push(changes, { atomic: 'mutation' });
      expect(results.map(({ status }) => status)).toEqual(range(40).map(() => 'conflict_resolved'));
      expect(resolvers.most).toBeLessThanOrEqual(16);
    });

    it('that is late costs its own change its turn, and no other', async () => {
      const changes = await conflicts('stuck', 4, (n) => (n === 1 ? { stuck: true } : { n: 3 }));
      // Of the same document, and made after.
      changes.push(upsert('resolved', 'd1', { n: 4 }, { mutation_id: 'child' }));
      const results = await app.as('stuck').push(changes, { atomic: 'mutation' });
      expect(results.map(({ status, code }) => code ?? status)).toEqual([
        'conflict_resolved',
        'preparation_timeout',
        'conflict_resolved',
        'conflict_resolved',
        'preparation_timeout',
      ]);
      expect(results[1]!.error).toContain('the resolver of collection resolved');
      gate.open();
      const again = await app.as('stuck').push(changes, { atomic: 'mutation' });
      expect(again.map(({ status }) => status)).toEqual(
        range(5).map((n) => (n === 4 ? expect.anything() : 'conflict_resolved')),
      );
    });

    it('that is late ends a batch with the number of those that were not', async () => {
      const changes = await conflicts('late-batch', 4, (n) => (n === 1 ? { stuck: true } : { n: 3 }));
      const answer = await app.as('late-batch').tryPush(changes, { atomic: 'batch' });
      expect(answer).toMatchObject({ status: 503, body: { code: 'preparation_timeout' } });
      expect(answer.text).toMatch(/3 of 4 changes .*the resolver of collection resolved/);
    });
  });
});
