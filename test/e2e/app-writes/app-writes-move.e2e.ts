import { Types } from 'mongoose';
import type { SyncIdentity } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import {
  agreedState,
  expectOrder,
  pullAll,
  startWritesApp,
  upsertOf,
  type WritesApp,
} from '../../support/writes-app';

describe('tx.move', () => {
  const database = testDatabase(__filename);
  let running: WritesApp;
  let count = 0;

  beforeAll(async () => {
    running = await startWritesApp(database.uri);
  });
  afterAll(() => running.close());

  function identity(): SyncIdentity {
    return { scopeId: `scope-${String(++count)}`, actorId: 'clerk' };
  }

  it.each([
    ['global', 'items'],
    ['scoped', 'notes'],
  ])(
    'with %s ids: leaves one log, enters the other, and each scope agrees with itself',
    async (_, collection) => {
      const [from, to] = [identity(), identity()];
      const id = new Types.ObjectId().toHexString();
      const data = { name: 'Tea', stock: 2 };
      await running.sync.transaction(from, (tx) => tx.upsert(collection, id, data));
      await running.push(to, [upsertOf('notes', 'other', {})]);
      const moved = await running.sync.transaction(from, (tx) => tx.move(collection, id, to.scopeId));
      expect((await pullAll(running, from)).at(-1)).toMatchObject({ operation: 'delete', ...moved.left });
      expect((await pullAll(running, to)).at(-1)).toMatchObject({
        operation: 'upsert',
        doc_id: id,
        data,
        ...moved.entered,
      });
      expect(await agreedState(running, from)).toEqual({});
      expect(await agreedState(running, to)).toMatchObject({
        [`${collection} ${id}`]: data,
        'notes other': {},
      });

      const again = running.sync.transaction(from, (tx) => tx.move(collection, id, to.scopeId));
      await expect(again).rejects.toMatchObject({ code: 'conflict_deleted' });
      await running.sync.transaction(to, (tx) => tx.move(collection, id, from.scopeId));
      expect(await agreedState(running, from)).toMatchObject({ [`${collection} ${id}`]: data });
      expect(Object.keys(await agreedState(running, to))).toEqual(['notes other']);
    },
  );

  it('writes nothing when the other scope has the id, or is no other scope', async () => {
    const [from, to] = [identity(), identity()];
    for (const who of [from, to])
      await running.push(who, [upsertOf('notes', 'settings', { of: who.scopeId })]);
    await running.sync.transaction(from, async (tx) => {
      await expect(tx.move('notes', 'settings', to.scopeId)).rejects.toMatchObject({
        code: 'id_unavailable',
      });
      await expect(tx.move('notes', 'settings', from.scopeId)).rejects.toMatchObject({
        code: 'configuration',
      });
    });
    for (const who of [from, to])
      expect(await agreedState(running, who)).toEqual({ 'notes settings': { of: who.scopeId } });
  });

  it('gets documents across while both scopes are busy, and back and forth at once', async () => {
    const [left, right] = [identity(), identity()];
    const names = Array.from({ length: 8 }, (_, n) => `moving-${String(count)}-${String(n)}`);
    const half = (who: SyncIdentity, odd: number) =>
      names.filter((_, n) => n % 2 === odd).map((name) => upsertOf('drafts', name, { of: who.scopeId }));
    await running.push(left, half(left, 0));
    await running.push(right, half(right, 1));
    let moving = true;
    const busy = async (who: SyncIdentity): Promise<void> => {
      for (let n = 0; moving; n++) await running.push(who, [upsertOf('notes', `n${String(n)}`, {})]);
    };
    const others = [busy(left), busy(right)];
    await Promise.all(
      names.map((name, n) => {
        const [from, to] = n % 2 === 0 ? [left, right] : [right, left];
        return running.sync.transaction(from, (tx) => tx.move('drafts', name, to.scopeId));
      }),
    );
    moving = false;
    await Promise.all(others);
    const drafts = async (who: SyncIdentity) =>
      Object.keys(await agreedState(running, who)).filter((key) => key.startsWith('drafts'));
    expect((await drafts(left)).sort()).toEqual(
      names.filter((_, n) => n % 2 === 1).map((n) => `drafts ${n}`),
    );
    expect((await drafts(right)).sort()).toEqual(
      names.filter((_, n) => n % 2 === 0).map((n) => `drafts ${n}`),
    );
    for (const who of [left, right]) expectOrder(await pullAll(running, who));
  });
});
