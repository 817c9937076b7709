import type { INestApplication } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { Test } from '@nestjs/testing';
import mongoose from 'mongoose';
import { SyncModule, SyncService, type PushResult, type SyncIdentity } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';

const ALICE: SyncIdentity = { scopeId: 'a', actorId: 'alice' };

describe('answers of a push', () => {
  const database = testDatabase('push-answers');
  const denied = new Set<string>();
  let app: INestApplication;
  let sync: SyncService;

  beforeAll(async () => {
    const connection = await mongoose.createConnection(database.uri).asPromise();
    await connection
      .collection('unique')
      .createIndex(
        { _sync_scope_id: 1, email: 1 },
        { unique: true, partialFilterExpression: { _sync_deleted: false } },
      );
    await connection.collection('adopted').insertOne({
      _id: 'old' as never,
      _sync_scope_id: 'a',
      _sync_version: null,
      n: 0,
    });
    await connection.close();
    const module = await Test.createTestingModule({
      imports: [
        MongooseModule.forRoot(database.uri),
        SyncModule.forRoot({
          jwt: { secret: 'a secret that is long enough for tests, is it not' },
          collections: [
            {
              name: 'guarded',
              freeForm: true,
              ids: 'scoped',
              authorizer: (_identity, _collection, action) => !denied.has(action),
            },
            { name: 'unique', freeForm: true, ids: 'global', conflict: 'client-wins' },
            { name: 'adopted', freeForm: true, ids: 'global' },
            { name: 'merged', freeForm: true, ids: 'scoped', conflict: 'merge' },
          ],
          stream: false,
        }),
      ],
    }).compile();
    app = module.createNestApplication();
    await app.init();
    sync = app.get(SyncService);
  });

  afterAll(() => app.close());

  async function push(changes: object[], more: object = {}): Promise<readonly PushResult[]> {
    return (await sync.push(ALICE, { client_id: 'device', changes, ...more })).results;
  }

  it('are the first ones again for a mutation that took effect, though the right to it is gone by now', async () => {
    const change = (mutation: string) => ({
      collection: 'guarded',
      operation: 'upsert',
      doc_id: 'd',
      data: { n: 1 },
      mutation_id: mutation,
    });
    const [first] = await push([change('m1')]);
    denied.add('upsert');
    const [again, other] = await push([change('m1'), change('m2')], { atomic: 'mutation' });
    denied.clear();
    expect(again).toEqual({ ...first, replayed: true });
    expect(other).toMatchObject({ status: 'rejected', code: 'forbidden' });
  });

  it('blame a unique value on the push that has it, also when many wait and one of them frees it', async () => {
    const person = (id: string, email: string, parent: string | null = null) => ({
      collection: 'unique',
      operation: 'upsert',
      doc_id: id,
      data: { email },
      parent_version: parent,
    });
    const [ann, bob] = await push([person('ann', 'x@y'), person('bob', 'b@y')]);
    // In one group of pushes: bob is touched, ann gives her address up, bob takes it, zed wants it too.
    const busy = push([person('first', 'f@y')]);
    const answers = await Promise.all([
      push([person('bob', 'b2@y', bob!.new_version)]),
      push([person('ann', 'a@y', ann!.new_version)]),
      push([person('bob', 'x@y')]),
      push([person('zed', 'x@y')]),
    ]);
    await busy;
    expect(answers.map(([answer]) => answer!.code ?? answer!.status)).toEqual([
      'accepted',
      'accepted',
      'conflict_resolved',
      'unique_violation',
    ]);
    expect(JSON.stringify(answers)).not.toContain('dup key');
  });

  it('let a unique value change hands inside one push, whichever document came first', async () => {
    const person = (id: string, email: string) => ({
      collection: 'unique',
      operation: 'upsert',
      doc_id: id,
      data: { email },
    });
    await push([person('old-owner', 'value@y')]);
    const answers = await push([
      person('new-owner', 'temporary@y'),
      person('old-owner', 'another@y'),
      person('new-owner', 'value@y'),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(['accepted', 'conflict_resolved', 'accepted']);
  });

  it('take a document whose version the app left empty', async () => {
    const [answer] = await push([
      { collection: 'adopted', operation: 'upsert', doc_id: 'old', data: { n: 1 } },
    ]);
    expect(answer).toMatchObject({ status: 'accepted', code: null });
  });

  it('join both sides when a device goes on editing what it has not seen merged', async () => {
    const edit = (data: object, parent: string | null, mutation: string) => ({
      collection: 'merged',
      operation: 'upsert',
      doc_id: 'd',
      data,
      parent_version: parent,
      mutation_id: mutation,
    });
    const [first] = await push([edit({ title: 'a', done: false }, null, 'o1')]);
    const parent = first!.new_version;
    await push([edit({ title: 'a', done: true }, parent, 'o2')]);
    const offline = [
      edit({ title: 'b', done: false }, parent, 'o3'),
      edit({ title: 'c', done: false }, parent, 'o4'),
    ];
    const results = await push(offline);
    expect(results.map((result) => result.status)).toEqual(['conflict_resolved', 'conflict_resolved']);
    expect(results[1]!.server_document).toMatchObject({ data: { title: 'c', done: true } });
    const [, , last] = await push([...offline, edit({ title: 'd', done: false }, parent, 'o5')]);
    expect(last!.server_document).toMatchObject({ data: { title: 'd', done: true } });
  });
});
