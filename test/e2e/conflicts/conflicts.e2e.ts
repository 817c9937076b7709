import { ConflictApp, edited, editedLast } from '../../support/conflict-app';
import type { Device } from '../../support/http-app';

/** What a stale change is told. */
const stale = (current: { version: string | undefined }): object => ({
  status: 'rejected',
  code: 'conflict_stale',
  new_version: null,
  server_version: current.version,
  server_document: current,
});

describe('a conflict', () => {
  let on: ConflictApp;
  let ann: Device;
  let bea: Device;

  beforeAll(async () => {
    on = await ConflictApp.start(__filename);
    ({ ann, bea } = on);
  });
  afterAll(() => on.app.close());
  beforeEach(() => {
    on.nextDocument();
  });

  it.each(['last', 'stale'])(
    'in %s is rejected when no edit stamp is sent, with the server’s document',
    async (name) => {
      const parent = await on.twoEdits(name, { n: 1 }, { n: 2 });
      const current = { version: (await ann.read(name, on.id))?.version, deleted: false, data: { n: 2 } };
      for (const parent_version of [parent, null, ''])
        expect(await on.write(ann, name, { n: 3 }, { parent_version })).toMatchObject(stale(current));
      expect(await on.write(ann, name, null, { parent_version: parent })).toMatchObject(stale(current));
      expect(await on.data(name)).toEqual({ n: 2 });
    },
  );

  it('goes to the last edit, in whichever order they arrive', async () => {
    for (const order of [
      [20, 30],
      [30, 20],
    ]) {
      on.nextDocument();
      const { new_version: parent_version } = await on.write(ann, 'last', { at: 0 }, { hlc: edited(0) });
      const told: string[] = [];
      for (const [index, at] of order.entries())
        told.push(
          (await on.write(index ? bea : ann, 'last', { at }, { parent_version, hlc: edited(at) })).status,
        );
      expect(await on.data('last')).toEqual({ at: 30 });
      expect(told).toEqual(['accepted', order[1] === 30 ? 'conflict_resolved' : 'rejected']);
      // The winner's stamp stays, so that a third device is judged by it.
      expect(await on.write(bea, 'last', { at: 25 }, { parent_version, hlc: edited(25) })).toMatchObject({
        code: 'conflict_stale',
      });
      expect(await on.write(bea, 'last', { at: 40 }, { parent_version, hlc: edited(40) })).toMatchObject({
        status: 'conflict_resolved',
      });
      expect((await ann.read('last', on.id))?.hlc).toBeDefined();
    }
  });

  it('is decided by no edit stamp where stale changes are rejected', async () => {
    const parent_version = await on.twoEdits('stale', { n: 1 }, { n: 2 });
    expect(await on.write(ann, 'stale', { n: 3 }, { parent_version, hlc: editedLast() })).toMatchObject({
      code: 'conflict_stale',
    });
  });

  it('goes to the client where the client wins', async () => {
    const parent_version = await on.twoEdits('client', { n: 1 }, { n: 2 });
    const before = (await ann.read('client', on.id))?.version;
    const result = await on.write(ann, 'client', { n: 3 }, { parent_version });
    expect(result).toMatchObject({
      status: 'conflict_resolved',
      server_version: before,
      server_document: { version: result.new_version, deleted: false, data: { n: 3 } },
    });
    expect(await on.data('client')).toEqual({ n: 3 });
  });

  it('is merged by field, inside of objects too', async () => {
    const parent_version = await on.twoEdits(
      'merge',
      { a: 1, b: 1, gone: 1, list: [1], in: { x: 1, y: { z: 1, w: 1 } } },
      { a: 1, b: 2, list: [1], in: { x: 1, y: { z: 2, w: 1 } }, more: 'b' },
    );
    const mine = { a: 2, b: 1, gone: 1, list: [1, 2], in: { x: 2, y: { z: 1, w: 2 } } };
    const merged = { a: 2, b: 2, list: [1, 2], in: { x: 2, y: { z: 2, w: 2 } }, more: 'b' };
    const result = await on.write(ann, 'merge', mine, { parent_version });
    expect(result).toMatchObject({ status: 'conflict_resolved' });
    expect(result.server_document).toEqual({ version: result.new_version, deleted: false, data: merged });
    expect(await on.data('merge')).toEqual(merged);
  });

  it('about one field goes to its newest editor, the other fields stay merged', async () => {
    for (const [hlc, title] of [
      [undefined, 'bea'],
      [edited(0), 'bea'],
      [editedLast(), 'ann'],
    ] as const) {
      on.nextDocument();
      const parent_version = await on.twoEdits(
        'merge',
        { title: '', a: 1, b: 1 },
        { title: 'bea', a: 1, b: 2 },
      );
      await on.write(ann, 'merge', { title: 'ann', a: 2, b: 1 }, { parent_version, ...(hlc ? { hlc } : {}) });
      expect(await on.data('merge')).toEqual({ title, a: 2, b: 2 });
    }
  });

  it('without a base to merge from goes to the last writer', async () => {
    const parent_version = await on.twoEdits('merge', { a: 1, b: 1 }, { a: 1, b: 2 });
    expect(await on.write(ann, 'merge', { a: 2, b: 1 })).toMatchObject({ code: 'conflict_stale' });
    await on.app.db.collection('sync_oplog').deleteMany({ scope: 'a', version: { $lte: parent_version } });
    expect(await on.write(ann, 'merge', { a: 2, b: 1 }, { parent_version })).toMatchObject({
      code: 'conflict_stale',
    });
    const later = { parent_version, hlc: editedLast() };
    expect(await on.write(ann, 'merge', { a: 2, b: 1 }, later)).toMatchObject({
      status: 'conflict_resolved',
    });
    expect(await on.data('merge')).toEqual({ a: 2, b: 1 });
  });
});
