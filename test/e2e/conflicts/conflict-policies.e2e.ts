import { ConflictApp } from '../../support/conflict-app';
import { remove, upsert, type Device } from '../../support/http-app';

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

  it.each<[collection: string, verdict: object, after: object | null]>([
    ['last', { status: 'conflict_resolved', code: null }, { n: 3 }],
    ['merge', { status: 'conflict_resolved', code: null }, { n: 3 }],
    ['client', { status: 'conflict_resolved', code: null }, { n: 3 }],
    ['stale', { status: 'rejected', code: 'conflict_stale' }, null],
    ['rejecting', { status: 'rejected', code: 'conflict_deleted' }, null],
    ['deleting', { status: 'rejected', code: 'conflict_deleted' }, null],
  ])('of an edit with a delete in %s follows its policy', async (name, verdict, after) => {
    const parent_version = await on.twoEdits(name, { n: 1 }, null);
    const deleted = (await ann.read(name, on.id))?.version;
    const result = await on.write(ann, name, { n: 3 }, { parent_version });
    expect(result).toMatchObject({ ...verdict, server_version: deleted });
    expect(result.server_document).toMatchObject({ deleted: after === null, data: after });
    expect(await on.data(name)).toEqual(after);
    // A device that knows of the delete may write the document again.
    if (!after)
      expect(await on.write(ann, name, { n: 4 }, { parent_version: deleted })).toMatchObject({
        status: 'accepted',
      });
  });

  it.each<[collection: string, verdict: object, after: object | null]>([
    ['last', { status: 'rejected', code: 'conflict_stale' }, { n: 2 }],
    ['merge', { status: 'rejected', code: 'conflict_stale' }, { n: 2 }],
    ['rejecting', { status: 'rejected', code: 'conflict_stale' }, { n: 2 }],
    ['client', { status: 'conflict_resolved', code: null }, null],
    ['deleting', { status: 'conflict_resolved', code: null }, null],
  ])('of a delete with an edit in %s follows its policy', async (name, verdict, after) => {
    const parent_version = await on.twoEdits(name, { n: 1 }, { n: 2 });
    expect(await on.write(ann, name, null, { parent_version })).toMatchObject(verdict);
    expect(await on.data(name)).toEqual(after);
  });

  it('does not exist when both have deleted', async () => {
    const parent_version = await on.twoEdits('last', { n: 1 }, null);
    const { seq } = await ann.pull();
    expect(await on.write(ann, 'last', null, { parent_version })).toMatchObject({
      status: 'accepted',
      code: null,
    });
    expect((await ann.pull()).seq).toBe(seq);
  });

  it('shows the server’s document only to those who may read it, even when it is replayed', async () => {
    const { new_version: parent_version } = await on.write(ann, 'secret', { text: 'for ann' });
    await on.write(ann, 'secret', { text: 'for ann alone' }, { parent_version });
    const change = upsert('secret', on.id, { text: 'x' }, { parent_version, mutation_id: on.id });
    const first = bea.received.length;
    for (let time = 0; time < 2; time += 1)
      expect(await bea.one(change)).toMatchObject({ code: 'conflict_stale' });
    expect(bea.received.slice(first).join()).not.toMatch(/for ann|server_document/);
    expect((await ann.one(upsert('secret', on.id, {}, { parent_version }))).server_document).toMatchObject({
      data: { text: 'for ann alone' },
    });
  });

  it('is counted for its collection, however it was settled', async () => {
    const before = await on.counted('merge');
    const parent_version = await on.twoEdits('merge', { a: 1, b: 1 }, { a: 1, b: 2 });
    expect(await on.counted('merge')).toBe(before);
    const merged = { parent_version, mutation_id: on.id };
    await on.write(ann, 'merge', { a: 2, b: 1 }, merged);
    await on.write(ann, 'merge', { a: 2, b: 1 }, merged);
    await on.write(ann, 'merge', { a: 3, b: 1 });
    expect(await on.counted('merge')).toBe(before + 2);
  });

  it.each(['last', 'stale', 'merge', 'client'])(
    'does not exist between one client’s own changes in %s',
    async (name) => {
      const { new_version: parent_version } = await on.write(ann, name, { n: 0 });
      const change = (n: number): object =>
        upsert(name, on.id, { n }, { parent_version, mutation_id: `${on.id}-${String(n)}` });
      const results = await ann.push([change(1), change(2)]);
      expect(results.map(({ status }) => status)).toEqual(['accepted', 'accepted']);
      // The answer was lost; meanwhile the device went on.
      const again = await ann.push([
        change(1),
        change(2),
        change(3),
        remove(name, on.id, { parent_version }),
      ]);
      expect(again.map(({ status }) => status)).toEqual(['accepted', 'accepted', 'accepted', 'accepted']);
      expect(again.map(({ replayed }) => replayed ?? false)).toEqual([true, true, false, false]);
      expect(await on.data(name)).toBeNull();
    },
  );

  it('after a replay is merged from what the client had sent before', async () => {
    const { new_version: parent_version } = await on.write(ann, 'merge', { a: 0, b: 0 });
    const first = upsert('merge', on.id, { a: 1, b: 0 }, { parent_version, mutation_id: `${on.id}-1` });
    const { new_version } = await ann.one(first);
    await on.write(bea, 'merge', { a: 1, b: 5 }, { parent_version: new_version });
    const second = upsert('merge', on.id, { a: 2, b: 0 }, { parent_version, mutation_id: `${on.id}-2` });
    expect(await ann.push([first, second])).toMatchObject([
      { status: 'accepted', replayed: true },
      { status: 'conflict_resolved' },
    ]);
    expect(await on.data('merge')).toEqual({ a: 2, b: 5 });
  });
});
