import type { INestApplication } from '@nestjs/common';
import { MongooseModule } from '@nestjs/mongoose';
import { Test } from '@nestjs/testing';
import { SyncModule, SyncService, type PushResponse, type SyncIdentity } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';

const ALICE: SyncIdentity = { scopeId: 'a', actorId: 'alice' };
const BOB: SyncIdentity = { scopeId: 'b', actorId: 'bob' };

describe('push', () => {
  const database = testDatabase('push');
  let app: INestApplication;
  let sync: SyncService;

  beforeAll(async () => {
    const module = await Test.createTestingModule({
      imports: [
        MongooseModule.forRoot(database.uri),
        SyncModule.forRoot({
          jwt: { secret: 'a secret that is long enough for tests, is it not' },
          collections: [
            { name: 'notes', freeForm: true, ids: 'scoped' },
            { name: 'shared', freeForm: true, ids: 'global' },
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

  function note(docId: string, data: object, more: object = {}): object {
    return { collection: 'notes', operation: 'upsert', doc_id: docId, data, ...more };
  }

  function push(identity: SyncIdentity, changes: object[], more: object = {}): Promise<PushResponse> {
    return sync.push(identity, { client_id: 'device', changes, ...more });
  }

  it('gives what was pushed back to a pull and a full resync, in order', async () => {
    const first = await push(ALICE, [note('one', { n: 1 }), note('two', { n: 2 })]);
    const versions = first.results.map((result) => result.new_version);
    expect(first.results.map((result) => result.status)).toEqual(['accepted', 'accepted']);
    expect([...versions].sort()).toEqual(versions);

    const page = await sync.pull(ALICE, {});
    if (!('changes' in page)) throw new Error('a full resync was required');
    expect(page.changes.map((change) => [change.doc_id, change.data, change.version])).toEqual([
      ['one', { n: 1 }, versions[0]],
      ['two', { n: 2 }, versions[1]],
    ]);
    const lines: string[] = [];
    for await (const chunk of (await sync.full(ALICE, {})).lines) lines.push(String(chunk));
    expect(
      lines
        .join('')
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { doc_id: string }).doc_id),
    ).toEqual(['one', 'two']);
    expect('changes' in (await sync.pull(BOB, {}))).toBe(true);
  });

  it('applies a mutation once, however often and however concurrently it is sent', async () => {
    const change = note('once', { n: 1 }, { mutation_id: 'm1' });
    const answers = await Promise.all(Array.from({ length: 8 }, () => push(ALICE, [change])));
    const versions = new Set(answers.map((answer) => answer.results[0]?.new_version));
    expect(versions.size).toBe(1);
    expect(answers.filter((answer) => answer.results[0]?.replayed).length).toBe(7);
    const other = await push(ALICE, [note('once', { n: 2 }, { mutation_id: 'm1' })]);
    expect(other.results[0]?.code).toBe('mutation_id_reused');
  });

  it('loses nothing when many write one scope', async () => {
    const identity = { scopeId: 'busy', actorId: 'x' };
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) => push(identity, [note(`n${String(n)}`, { n })])),
    );
    expect(answers.every((answer) => answer.results[0]?.status === 'accepted')).toBe(true);
    const page = await sync.pull(identity, { limit: 1000 });
    if (!('changes' in page)) throw new Error('a full resync was required');
    expect(new Set(page.changes.map((change) => change.doc_id)).size).toBe(200);
    expect(page.seq).toBe(200);
  });

  it('rolls a whole batch back for one bad change, unless asked change by change', async () => {
    const bad = { collection: 'nowhere', operation: 'upsert', doc_id: 'x', data: {} };
    const batch = await push(ALICE, [note('batch', { n: 1 }), bad]);
    expect(batch.results.map((result) => result.code)).toEqual(['batch_rolled_back', 'unknown_collection']);
    const single = await push(ALICE, [note('batch', { n: 1 }), bad], { atomic: 'mutation' });
    expect(single.results.map((result) => result.status)).toEqual(['accepted', 'rejected']);
  });

  it('keeps global ids of another scope out of reach, and reveals nothing about them', async () => {
    const shared = (data: object) => ({ collection: 'shared', operation: 'upsert', doc_id: 'k', data });
    const mine = await push(ALICE, [shared({ secret: 's3cr3t' })]);
    const theirs = await push(BOB, [
      { ...shared({ mine: true }), parent_version: mine.results[0]?.new_version },
    ]);
    expect(theirs.results[0]).toMatchObject({
      status: 'rejected',
      code: 'id_unavailable',
      server_version: null,
    });
    expect(JSON.stringify(theirs)).not.toContain('s3cr3t');
  });

  it('writes the app own changes in its transaction, or nothing', async () => {
    const identity = { scopeId: 'app', actorId: 'server' };
    await sync.transaction(identity, async (tx) => {
      await tx.upsert('notes', 'a', { n: 1 });
      await tx.upsert('notes', 'b', { n: 2 });
      await tx.delete('notes', 'a');
    });
    await expect(
      sync.transaction(identity, async (tx) => {
        await tx.upsert('notes', 'c', { n: 3 });
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    const page = await sync.pull(identity, {});
    if (!('changes' in page)) throw new Error('a full resync was required');
    expect(page.changes.map((change) => [change.seq, change.doc_id, change.operation])).toEqual([
      [1, 'a', 'upsert'],
      [2, 'b', 'upsert'],
      [3, 'a', 'delete'],
    ]);
  });
});
