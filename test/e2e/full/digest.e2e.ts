import { createHash } from 'node:crypto';
import { DigestSum, digestText, type DigestAnswer, type LogChange } from 'nest-offline-sync-protocol';
import { testDatabase } from '../../support/database';
import { startHttpApp, upsert, type HttpApp } from '../../support/http-app';

interface Held {
  readonly collection: string;
  readonly doc_id: string | number;
  readonly version: string | null;
  readonly deleted: boolean;
}

/** What a device computes of what it has. */
function digestOf(name: string, held: Iterable<Held>): DigestAnswer['collections'][number] {
  const [live, deleted] = [new DigestSum(), new DigestSum()];
  for (const { collection, doc_id, version, deleted: isDeleted } of held) {
    if (collection !== name || version === null) continue;
    const hash = createHash('sha256')
      .update(digestText(collection, doc_id, version))
      .digest();
    (isDeleted ? deleted : live).add(hash);
  }
  return { collection: name, live: live.part, deleted: deleted.part };
}

function folded(changes: readonly LogChange[]): Iterable<Held> {
  const held = new Map<string, Held>();
  for (const { collection, doc_id, version, operation } of changes)
    held.set(JSON.stringify([collection, doc_id]), {
      collection,
      doc_id,
      version,
      deleted: operation === 'delete',
    });
  return held.values();
}

const linesOf = (text: string): Held[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Held);

describe('GET digest', () => {
  let app: HttpApp;
  beforeAll(async () => {
    app = await startHttpApp(testDatabase(__filename).uri, {
      options: {
        collections: [
          { name: 'notes', freeForm: true, ids: 'scoped' },
          { name: 'tasks', freeForm: true, ids: 'global' },
          { name: 'mine', freeForm: true, ids: 'scoped', authorizer: ({ actorId }) => actorId === 'owner' },
        ],
      },
    });
  });
  afterAll(() => app.close());

  const digest = async (scope: string, query = '', actor?: string): Promise<DigestAnswer> => {
    const { status, text } = await app.as(scope, actor).send(`/sync/digest?${query}`);
    expect([status, text]).toEqual([200, expect.any(String)]);
    return JSON.parse(text) as DigestAnswer;
  };
  const changesOf = async (scope: string): Promise<LogChange[]> => {
    const changes: LogChange[] = [];
    for (let since = ''; ;) {
      const { body } = await app.sync.pull({ scopeId: scope, actorId: 'ann' }, { since });
      const page = JSON.parse(body.toString()) as {
        changes: LogChange[];
        last_seq: string;
        has_more: boolean;
      };
      changes.push(...page.changes);
      since = page.last_seq;
      if (!page.has_more) return changes;
    }
  };

  it('is what a device computes that has pulled, or loaded everything', async () => {
    const device = app.as('one');
    for (let n = 0; n < 30; n += 1)
      await app.sync.transaction({ scopeId: 'one', actorId: 'ann' }, async (tx) => {
        await tx.upsert('notes', `n${String(n % 11)}`, { n });
        await tx.upsert('tasks', `one-${String(n)}`, { n });
        await (n % 3 === 0 ? tx.delete('notes', n) : tx.upsert('notes', n, { n }));
      });
    await app.as('two').push([upsert('notes', 'n1', { n: 1 }), upsert('tasks', 'two-1', { n: 1 })]);
    await app.db.collection('tasks').insertMany([
      { n: 1, _sync_scope_id: 'one', _sync_deleted: false },
      { n: 1, _sync_scope_id: ['one', 'two'], _sync_version: '20260502T120000.000Z-0001-a1b2' },
    ]);
    const changes = await changesOf('one');
    const { last_seq, seq, collections } = await digest('one');
    expect({ last_seq, seq }).toEqual({ last_seq: changes.at(-1)?.version, seq: 90 });
    expect(collections).toEqual(['notes', 'tasks'].map((name) => digestOf(name, folded(changes))));
    expect(collections.map(({ live, deleted }) => [live.count, deleted.count])).toEqual([
      [31, 10],
      [30, 0],
    ]);
    const lines = linesOf((await device.send('/sync/full?limit=0')).text);
    expect(collections).toEqual(['notes', 'tasks'].map((name) => digestOf(name, lines)));
    const first = await device.send('/sync/full?limit=0&tombstones=false&collections=notes');
    expect(digestOf('notes', linesOf(first.text)).live).toEqual(collections[0]?.live);
  });

  it('is of one moment, whatever is written meanwhile', async () => {
    let writing = true;
    const writer = (async () => {
      for (let n = 0; writing; n += 1) {
        const task = `busy-${String(n % 30)}`;
        await app.sync.transaction({ scopeId: 'busy', actorId: 'ann' }, async (tx) => {
          await tx.upsert('notes', n % 40, { n });
          await (n % 5 === 0 ? tx.delete('tasks', task) : tx.upsert('tasks', task, { n }));
        });
      }
    })();
    const taken: DigestAnswer[] = [];
    while (new Set(taken.map(({ seq }) => seq)).size < 10) taken.push(await digest('busy'));
    writing = false;
    await writer;
    const changes = await changesOf('busy');
    for (const { last_seq, seq, collections } of taken) {
      const until = changes.filter((change) => change.seq <= seq);
      if (seq > 0) expect(last_seq).toBe(until.at(-1)?.version);
      expect(collections).toEqual(['notes', 'tasks'].map((name) => digestOf(name, folded(until))));
    }
  });

  it('of a scope that nobody has written is that of nothing', async () => {
    const nothing = { count: 0, hash: '0'.repeat(32) };
    expect(await digest('never', 'collections=notes')).toMatchObject({
      seq: 0,
      collections: [{ collection: 'notes', live: nothing, deleted: nothing }],
    });
  });

  it('counts nothing that the identity may not read', async () => {
    await app.as('guarded', 'owner').push([upsert('mine', 'a', { n: 1 })]);
    const names = async (actor: string) =>
      (await digest('guarded', '', actor)).collections.map(({ collection }) => collection);
    expect(await names('owner')).toEqual(['notes', 'tasks', 'mine']);
    expect(await names('ann')).toEqual(['notes', 'tasks']);
    for (const [query, status, code] of [
      ['collections=mine', 403, 'forbidden'],
      ['collections=nope', 400, 'unknown_collection'],
      ['scope=one', 403, 'scope_forbidden'],
      ['expected_identity=somebody-else', 409, 'identity_changed'],
      ['collections[a]=notes', 400, 'malformed_request'],
    ] as const)
      expect(await app.as('guarded').send(`/sync/digest?${query}`)).toMatchObject({ status, body: { code } });
  });

  it('refuses more than a few at the same time, and serves again afterwards', async () => {
    const identity = { scopeId: 'one', actorId: 'ann' };
    const answers = await Promise.allSettled(Array.from({ length: 12 }, () => app.sync.digest(identity)));
    const refused = answers.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(10);
    for (const answer of refused) expect(answer).toMatchObject({ reason: { code: 'busy' } });
    expect((await digest('one')).seq).toBe(90);
  });
});
