import type { PushResult } from 'nest-offline-sync';
import { remove, upsert } from '../../support/http-app';
import { GLOBAL, useTwoTenants } from '../../support/isolation-app';

const YEAR_2999 = '29990101T000000.000Z-0000-x';
/** An answer without what differs by its nature. */
const shape = ({ doc_id: _id, new_version, ...rest }: PushResult): string =>
  JSON.stringify({ ...rest, taken: new_version !== null });

describe('a tenant that pushes', () => {
  const given = useTwoTenants(__filename);

  /** Every way to address a document that may be another's. */
  async function attempts(collection: string, docId: string): Promise<object[]> {
    const { alice, bob } = given();
    const current = (await alice.read(collection, docId))?.version;
    const own = (await bob.one(upsert('notes', 'own', {}))).new_version;
    const parents = [undefined, current, own, '19700101T000000.000Z-0000', YEAR_2999];
    return parents.flatMap((parent_version) => [
      upsert(collection, docId, { title: 'mine' }, { parent_version }),
      upsert(collection, docId, { title: 'mine' }, { parent_version, hlc: own }),
      remove(collection, docId, { parent_version }),
    ]);
  }

  it.each(GLOBAL)('learns of another’s ids in %s that they are taken, and no more', async (collection) => {
    const { app, bob, conflicts } = given();
    await app.db.collection<{ _id: string }>(collection).insertOne({ _id: 'unowned' });
    const answers = new Set<string>();
    for (const docId of ['live', 'gone', 'unowned'])
      for (const change of await attempts(collection, docId)) answers.add(shape(await bob.one(change)));
    expect([...answers].map((answer) => JSON.parse(answer) as unknown)).toEqual([
      {
        status: 'rejected',
        server_version: null,
        code: 'id_unavailable',
        error: expect.any(String) as string,
        taken: false,
      },
    ]);
    expect(conflicts).toEqual([]);
    expect((await bob.pull(`collections=${collection}`)).changes).toEqual([]);
  });

  it('learns no more from a batch, which is rolled back as for any other rejection', async () => {
    const { bob } = given();
    const foreign = upsert('shared', 'live', { title: 'mine' });
    for (const changes of [
      [upsert('notes', 'first', { n: 1 }), foreign],
      [foreign, upsert('notes', 'second', { n: 1 })],
    ]) {
      const results = await bob.push(changes);
      expect(results.map(({ code }) => code).sort()).toEqual(['batch_rolled_back', 'id_unavailable']);
      const alone = await bob.push(changes, { atomic: 'mutation' });
      expect(alone.map(({ status }) => status).sort()).toEqual(['accepted', 'rejected']);
    }
  });

  it.each([...GLOBAL])('races another for new ids in %s, and one of the two has each', async (collection) => {
    const { app, alice, bob, conflicts, secret, settle } = given();
    const ids = Array.from({ length: 12 }, (_, n) => `race-${String(n)}`);
    const rounds = ids.map(async (id) => {
      const theirs = upsert(collection, id, { title: secret() });
      const both = await Promise.all([alice.one(theirs), bob.one(upsert(collection, id, { title: 'mine' }))]);
      return both.map(({ status, code }) => code ?? status).sort();
    });
    for (const round of await Promise.all(rounds)) expect(round).toEqual(['accepted', 'id_unavailable']);
    for (const id of ids) {
      const row = await app.db.collection(collection).findOne({ _id: id as never });
      expect([alice.scope, bob.scope]).toContain(row?.['_sync_scope_id']);
      expect(row?.['title'] === 'mine').toBe(row?.['_sync_scope_id'] === bob.scope);
    }
    expect(conflicts).toEqual([]);
    await settle();
  });

  it('is never shown to a resolver, nor shown by it, while the owner edits under conflict', async () => {
    const { alice, bob, conflicts, secret, settle } = given();
    const stale = (await alice.one(upsert('settled', 'busy', { title: secret() }))).new_version;
    await alice.one(upsert('settled', 'busy', { title: secret() }, { parent_version: stale }));
    const work = Array.from({ length: 12 }, async () => {
      await alice.one(upsert('settled', 'busy', { title: secret() }, { parent_version: stale }));
      return bob.one(upsert('settled', 'busy', { title: 'mine' }, { parent_version: stale }));
    });
    for (const { code } of await Promise.all(work)) expect(code).toBe('id_unavailable');
    expect(conflicts.length).toBeGreaterThan(0);
    expect(new Set(conflicts.map(({ identity }) => identity.scopeId))).toEqual(new Set([alice.scope]));
    await settle();
  });

  it('has its own scoped ids, and cannot find out whether another scope has them too', async () => {
    const { alice, bob, secret, settle } = given();
    const ways = await attempts('notes', 'live');
    const held = ways.map((_, n) => `held-${String(n)}`);
    await alice.push(held.map((id) => upsert('notes', id, { title: secret() })));
    await settle();
    /** The same change of an id twice: of nothing, and of what that has made. */
    const told = async (change: object, docId: string): Promise<string[]> => {
      const asked = { ...change, doc_id: docId };
      const answers = [await bob.one(asked), await bob.one(asked)];
      // Versions and their seq are the scope's own.
      return answers.map((answer) =>
        shape(answer)
          .replaceAll(/\d{8}T[^"]+/g, 'version')
          .replaceAll(/"seq":\d+/g, '"seq":0'),
      );
    };
    for (const [n, change] of ways.entries())
      expect(await told(change, `held-${String(n)}`)).toEqual(await told(change, `free-${String(n)}`));
    expect(await bob.one(upsert('notes', 'live', { title: 'mine' }))).toMatchObject({ status: 'accepted' });
    expect((await bob.read('notes', 'live'))?.data).toEqual({ title: 'mine' });
  });

  it('learns neither values nor owners from unique indexes', async () => {
    const { alice, bob, secret, settle } = given();
    const email = 'eve@example.org';
    const serial = 'serial-7';
    await alice.one(upsert('accounts', `a-${secret()}`, { email, serial }));
    await settle();
    expect(await bob.one(upsert('accounts', 'b1', { email }))).toMatchObject({ status: 'accepted' });
    const others = ['x', 'y', 'z'].map((id) => bob.one(upsert('notes', id, {})));
    const answer = await bob.tryPush([upsert('accounts', 'b2', { serial })]);
    expect((answer.body as { results: PushResult[] }).results).toMatchObject([
      { status: 'rejected', code: 'unique_violation', server_version: null },
    ]);
    expect(answer.text).not.toMatch(/E11000|dup|serial_1|serial-7/);
    for (const { status } of await Promise.all(others)) expect(status).toBe('accepted');
  });

  it('gets no answer to another’s mutation, also with the same client_id and body', async () => {
    const { alice, bob, settle } = given();
    const change = upsert('notes', 'mutated', { n: 1 }, { mutation_id: 'm1' });
    const theirs = await alice.one(change);
    await settle();
    const mine = await bob.one(change);
    expect(mine).toMatchObject({ status: 'accepted' });
    expect(mine.replayed).toBeUndefined();
    expect(mine.new_version).not.toBe(theirs.new_version);
    expect(await bob.one({ ...change, data: { n: 2 } })).toMatchObject({ code: 'mutation_id_reused' });
    expect((await alice.one(change)).replayed).toBe(true);
    expect((await bob.one(change)).new_version).toBe(mine.new_version);
  });
});
