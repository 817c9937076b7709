import type { Conflict, JsonObject, PushResult } from 'nest-offline-sync';
import { testDatabase } from '../../support/database';
import { Device, patch, remove, startHttpApp, upsert, type HttpApp } from '../../support/http-app';

const { uri } = testDatabase(__filename);
const codes = (results: readonly PushResult[]): unknown[] =>
  results.map(({ code, status }) => code ?? status);
const STRATEGIES = ['writers', 'strict', 'clients', 'merged', 'summed'];

/** Both sides have counted from the base; all other fields are the change's. */
const adds = ({ current, change, base }: Conflict): JsonObject => ({
  ...change.data,
  n: Number(current?.['n']) + Number(change.data?.['n']) - Number(base?.['n'] ?? 0),
});

describe('a change that names the mutation that it builds on', () => {
  let app: HttpApp;
  let scopes = 0;
  let device: Device;
  let other: Device;

  beforeAll(async () => {
    const free = { freeForm: true, ids: 'scoped' } as const;
    app = await startHttpApp(uri, {
      options: {
        collections: [
          { name: 'writers', ...free, conflict: 'last-writer-wins' },
          { name: 'strict', ...free, conflict: 'reject-stale' },
          { name: 'clients', ...free, conflict: 'client-wins' },
          { name: 'merged', ...free, conflict: 'merge' },
          { name: 'summed', ...free, resolver: adds },
        ],
      },
    });
  });
  afterAll(() => app.close());
  beforeEach(() => {
    scopes += 1;
    device = app.as(`s${String(scopes)}`, 'ann', 'phone');
    other = app.as(`s${String(scopes)}`, 'bob', 'tablet');
  });
  const data = async (name: string): Promise<unknown> => (await device.read(name, 'd'))?.data;
  const after = (id: string, parent: string, more: object = {}): object => ({
    mutation_id: id,
    parent_mutation_id: parent,
    ...more,
  });

  it.each(STRATEGIES)('is not stale against that (%s)', async (name) => {
    const { new_version: pulled } = await device.one(upsert(name, 'd', { n: 0 }));
    const more = { parent_version: pulled };
    await device.one(upsert(name, 'd', { n: 1 }, { mutation_id: 'm1', ...more }));
    // Nothing was pulled in between, and the device has no clock.
    expect(await device.one(upsert(name, 'd', { n: 2 }, after('m2', 'm1', more)))).toMatchObject({
      status: 'accepted',
    });
    expect(await device.one(remove(name, 'd', after('m3', 'm2', more)))).toMatchObject({
      status: 'accepted',
    });
    expect(await device.one(upsert(name, 'd', { n: 4 }, after('m4', 'm3', more)))).toMatchObject({
      status: 'accepted',
    });
    expect(await data(name)).toEqual({ n: 4 });
    // In one push and across two at once, the parent being a replay.
    const results = await device.push([
      upsert(name, 'd', { n: 4 }, after('m4', 'm3', more)),
      upsert(name, 'd', { n: 5 }, after('m5', 'm4', more)),
      upsert(name, 'd', { n: 6 }, after('m6', 'm5', more)),
    ]);
    expect(results.map(({ status, replayed }) => [status, replayed])).toEqual([
      ['accepted', true],
      ['accepted', undefined],
      ['accepted', undefined],
    ]);
    expect(await data(name)).toEqual({ n: 6 });
  });

  it('is merged from what was sent then, not from what the server made of it', async () => {
    const { new_version: pulled } = await device.one(upsert('merged', 'd', { mine: 0, theirs: 0, gone: 1 }));
    const more = { parent_version: pulled };
    await other.one(upsert('merged', 'd', { mine: 0, theirs: 7, new: 1 }, more));
    const first = await device.one(
      upsert('merged', 'd', { mine: 1, theirs: 0, gone: 1 }, { mutation_id: 'm1', ...more }),
    );
    expect(first).toMatchObject({ status: 'conflict_resolved', changed: true });
    expect(await data('merged')).toEqual({ mine: 1, theirs: 7, new: 1 });
    const second = await device.one(
      upsert('merged', 'd', { mine: 2, theirs: 0, gone: 1 }, after('m2', 'm1', more)),
    );
    expect(second.status).toBe('conflict_resolved');
    expect(await data('merged')).toEqual({ mine: 2, theirs: 7, new: 1 });
    // And so it is when others go on in between.
    const { version } = (await other.read('merged', 'd'))!;
    await other.one(upsert('merged', 'd', { mine: 2, theirs: 8, new: 1 }, { parent_version: version }));
    await device.one(upsert('merged', 'd', { mine: 3, theirs: 0, gone: 1 }, after('m3', 'm2', more)));
    expect(await data('merged')).toEqual({ mine: 3, theirs: 8, new: 1 });
    // Who has seen the merge may undo it.
    const seen = (await device.read('merged', 'd'))!.version;
    await device.one(
      upsert('merged', 'd', { mine: 4, theirs: 0 }, after('m4', 'm3', { parent_version: seen })),
    );
    expect(await data('merged')).toEqual({ mine: 4, theirs: 0 });
  });

  it('lets a resolver count from what was sent then', async () => {
    const { new_version: pulled } = await device.one(upsert('summed', 'd', { n: 10 }));
    const more = { parent_version: pulled };
    await other.one(upsert('summed', 'd', { n: 110 }, more));
    await device.one(upsert('summed', 'd', { n: 11 }, { mutation_id: 'm1', ...more }));
    await device.one(upsert('summed', 'd', { n: 12 }, after('m2', 'm1', more)));
    expect(await data('summed')).toEqual({ n: 112 });
  });

  it('meets the ordinary rules where others have changed the document since', async () => {
    for (const [name, code] of [
      ['writers', 'conflict_stale'],
      ['strict', 'conflict_stale'],
      ['clients', 'conflict_resolved'],
    ] as const) {
      const first = await device.one(upsert(name, 'd', { n: 1 }, { mutation_id: `${name}1` }));
      await other.one(upsert(name, 'd', { n: 2 }, { parent_version: first.new_version }));
      const second = await device.one(upsert(name, 'd', { n: 3 }, after(`${name}2`, `${name}1`)));
      expect(second.code ?? second.status).toBe(code);
    }
  });

  it('is refused with a parent that was refused or never came, and judged again when that has come', async () => {
    await other.one(upsert('strict', 'd', { n: 0 }));
    const [first, second] = [
      upsert('strict', 'd', { n: 1 }, { mutation_id: 'm1' }),
      upsert('strict', 'd', { n: 2 }, after('m2', 'm1')),
    ];
    expect(await device.one(second)).toMatchObject({
      code: 'parent_refused',
      error: expect.stringContaining('Send it first'),
    });
    expect(codes(await device.push([first, second], { atomic: 'mutation' }))).toEqual([
      'conflict_stale',
      'parent_refused',
    ]);
    expect(await device.one(second)).toMatchObject({
      code: 'parent_refused',
      error: expect.stringContaining('was rejected'),
    });
    const [orphan, parent] = [
      upsert('strict', 'e', { n: 2 }, after('m4', 'm3')),
      upsert('strict', 'e', { n: 1 }, { mutation_id: 'm3' }),
    ];
    expect(codes(await device.push([orphan, parent], { atomic: 'mutation' }))).toEqual([
      'parent_refused',
      'accepted',
    ]);
    const again = await device.one(orphan);
    expect([again.status, again.replayed]).toEqual(['accepted', undefined]);
  });

  it('is refused with a parent whose group fell', async () => {
    const results = await device.push([
      upsert('strict', 'd', { n: 1 }, { mutation_id: 'm1', group: 'a' }),
      upsert('strict', 'bad', { $n: 1 }, { mutation_id: 'm2', group: 'a' }),
      upsert('strict', 'd', { n: 2 }, after('m3', 'm1', { group: 'b' })),
      upsert('strict', 'e', { n: 2 }, { mutation_id: 'm4', group: 'b' }),
    ]);
    expect(codes(results)).toEqual([
      'batch_rolled_back',
      'forbidden_key',
      'parent_refused',
      'batch_rolled_back',
    ]);
  });

  it('builds on no other document, on nobody else’s mutation and not on itself', async () => {
    await device.one(upsert('strict', 'd', { n: 1 }, { mutation_id: 'm1' }));
    await other.one(upsert('strict', 'e', { n: 1 }, { mutation_id: 'theirs' }));
    const results = await device.push(
      [
        upsert('strict', 'e', { n: 2 }, after('m2', 'm1')),
        upsert('writers', 'd', { n: 2 }, after('m3', 'm1')),
        upsert('strict', 'e', { n: 2 }, after('m4', 'theirs')),
        upsert('strict', 'f', { n: 2 }, after('m5', 'm5')),
        upsert('strict', 'g', { n: 2 }, after('m6', 'm8')),
        upsert('strict', 'g', { n: 2 }, after('m7', 'm6')),
        upsert('strict', 'g', { n: 2 }, after('m8', 'm7')),
        upsert('strict', 'g', { n: 2 }, after('m9', 'm8')),
        upsert('strict', 'h', { n: 2 }, { parent_mutation_id: '' }),
      ],
      { atomic: 'mutation' },
    );
    expect(codes(results)).toEqual([
      'invalid_change',
      'invalid_change',
      'parent_refused',
      'invalid_change',
      'invalid_change',
      'invalid_change',
      'invalid_change',
      'parent_refused',
      'invalid_change',
    ]);
    expect(
      await app.as(device.scope, 'x', 'elsewhere').one(upsert('strict', 'd', {}, after('m', 'm1'))),
    ).toMatchObject({
      code: 'parent_refused',
    });
  });

  describe('of a patch', () => {
    const set = (name: string, fields: object, more: object): object =>
      patch(name, 'd', { data: fields }, more);

    it.each(STRATEGIES)('does not undo what others had written before the patch (%s)', async (name) => {
      const { new_version: pulled } = await device.one(upsert(name, 'd', { n: 0, mine: 0, theirs: 0 }));
      const more = { parent_version: pulled };
      await other.one(patch(name, 'd', { data: { theirs: 7 } }, { ...more, mutation_id: 'o' }));
      await device.one(patch(name, 'd', { inc: { n: 1 } }, { mutation_id: 'm1', ...more }));
      // The device knows nothing of the other's edit: a whole document of it is as stale as it was.
      const whole = upsert(name, 'd', { n: 1, mine: 1, theirs: 0 }, after('m2', 'm1', more));
      const result = await device.one(whole);
      const left = (await device.read(name, 'd'))!.data;
      if (name === 'clients') expect(left).toEqual({ n: 1, mine: 1, theirs: 0 });
      else if (name === 'merged') expect(left).toEqual({ n: 1, mine: 1, theirs: 7 });
      else if (name !== 'summed') {
        expect(result.code).toBe('conflict_stale');
        expect(left).toEqual({ n: 1, mine: 0, theirs: 7 });
      }
    });

    it('and a patch on a patch is no conflict of the device with itself', async () => {
      const { new_version: pulled } = await device.one(upsert('strict', 'd', { n: 0, mine: 0 }));
      const more = { parent_version: pulled };
      await device.one(set('strict', { mine: 1 }, { mutation_id: 'm1', ...more }));
      expect(await device.one(set('strict', { mine: 2 }, after('m2', 'm1', more)))).toMatchObject({
        status: 'accepted',
      });
      expect(
        await device.one(upsert('strict', 'd', { n: 0, mine: 3 }, after('m3', 'm2', more))),
      ).toMatchObject({
        status: 'accepted',
      });
      expect(await device.one(patch('strict', 'd', { inc: { n: 1 } }, after('m4', 'never')))).toMatchObject({
        code: 'parent_refused',
      });
    });
  });

  it('needs its parent next to it where what was sent then is too large to be kept', async () => {
    const large = (letter: string): string => letter.repeat(20_000);
    const { new_version: pulled } = await device.one(
      upsert('merged', 'd', { a: large('a'), b: large('b'), n: 0 }),
    );
    const more = { parent_version: pulled };
    await other.one(upsert('merged', 'd', { a: large('x'), b: large('y'), n: 0 }, more));
    const first = upsert(
      'merged',
      'd',
      { a: large('a'), b: large('b'), n: 1 },
      { mutation_id: 'm1', ...more },
    );
    expect(await device.one(first)).toMatchObject({ status: 'conflict_resolved' });
    const second = upsert('merged', 'd', { a: large('a'), b: large('b'), n: 2 }, after('m2', 'm1', more));
    expect(await device.one(second)).toMatchObject({
      code: 'parent_refused',
      error: expect.stringContaining('once more'),
    });
    expect(codes(await device.push([first, second]))).toEqual(['conflict_resolved', 'conflict_resolved']);
    expect(await data('merged')).toEqual({ a: large('x'), b: large('y'), n: 2 });
  });
});
