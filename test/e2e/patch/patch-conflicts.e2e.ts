import type { JsonObject, PushResult } from 'nest-offline-sync';
import { ConflictApp, edited, editedLast } from '../../support/conflict-app';
import { patch, remove, upsert, type Device } from '../../support/http-app';

let test: ConflictApp;
let mutations = 0;

beforeAll(async () => {
  test = await ConflictApp.start(__filename);
});
afterAll(() => test.app.close());
beforeEach(() => {
  test.nextDocument();
});

const fresh = (): object => ({ mutation_id: `m${String(mutations++)}` });

function send(device: Device, collection: string, parts: object, more: object = {}): Promise<PushResult> {
  return device.one(patch(collection, test.id, parts, { ...fresh(), ...more }));
}

describe('a patch of the version that stands', () => {
  it('sets, unsets, adds and removes, and leaves everything else alone', async () => {
    const { new_version } = await test.write(test.ann, 'last', {
      title: 'a',
      old: 1,
      n: 5,
      tags: ['x', 'y'],
      at: { street: 's', city: 'c' },
      kept: { deep: [1, 2] },
    });
    const result = await send(
      test.ann,
      'last',
      {
        data: { title: 'b', 'at.city': 'd', 'new.path': true },
        unset: ['old', 'at.street', 'none.there'],
        inc: { n: -2, count: 1.5 },
        add: { tags: ['y', 'z', 'z'], more: [{ a: 1, b: 2 }] },
        remove: { kept: [] },
      },
      { parent_version: new_version },
    );
    expect(result).toMatchObject({ status: 'accepted', code: null, server_version: null });
    const entry = await test.ann.read('last', test.id);
    expect(entry).toMatchObject({
      operation: 'upsert',
      version: result.new_version,
      parent_version: new_version,
      data: {
        title: 'b',
        n: 3,
        count: 1.5,
        tags: ['x', 'y', 'z'],
        more: [{ a: 1, b: 2 }],
        at: { city: 'd' },
        new: { path: true },
        kept: { deep: [1, 2] },
      },
    });
    expect(Object.keys((entry?.data ?? {}) as object)).not.toContain('old');
  });

  it('of nothing is document_missing, whatever the strategy', async () => {
    for (const collection of ['last', 'stale', 'client', 'merge', 'rejecting', 'deleting'])
      for (const parts of [{ data: { a: 1 } }, { inc: { n: 1 } }])
        expect(await send(test.ann, collection, parts)).toMatchObject({
          status: 'rejected',
          code: 'document_missing',
          new_version: null,
        });
  });
});

describe('inc, add and remove', () => {
  it.each(['last', 'stale', 'client', 'merge', 'rejecting', 'deleting'])(
    'never conflict in %s, with an old parent, without one, with an old stamp',
    async (collection) => {
      const first = await test.twoEdits(
        collection,
        { n: 1, tags: ['a'], title: 't' },
        { n: 10, tags: ['a', 'b'], title: 'u' },
      );
      for (const more of [{ parent_version: first }, {}, { parent_version: first, hlc: edited(1) }])
        expect(await send(test.ann, collection, { inc: { n: 1 }, add: { tags: ['c'] } }, more)).toMatchObject(
          { status: 'accepted', server_version: null, code: null },
        );
      await send(test.ann, collection, { remove: { tags: ['a', 'nowhere'] } });
      expect(await test.data(collection)).toEqual({ n: 13, tags: ['b', 'c'], title: 'u' });
    },
  );

  it('take effect once, however often they are sent', async () => {
    await test.write(test.ann, 'last', { n: 1 });
    const change = patch('last', test.id, { inc: { n: 1 } }, fresh());
    const first = await test.ann.one(change);
    expect(await test.ann.one(change)).toEqual({ ...first, replayed: true });
    const [third, fourth] = await test.ann.push([change, change]);
    expect([third, fourth]).toEqual([
      { ...first, replayed: true },
      { ...first, replayed: true },
    ]);
    expect(await test.data('last')).toEqual({ n: 2 });
  });

  it('with another body under the same id are refused', async () => {
    await test.write(test.ann, 'last', { n: 1, tags: [] });
    const id = fresh();
    await test.ann.one(patch('last', test.id, { inc: { n: 1 } }, id));
    for (const parts of [
      { inc: { n: 2 } },
      { inc: { m: 1 } },
      { data: { n: 1 } },
      { inc: { n: 1 }, unset: ['tags'] },
      { inc: { n: 1 }, add: { tags: [1] } },
      { inc: { n: 1 }, remove: { tags: [1] } },
    ])
      expect(await test.ann.one(patch('last', test.id, parts, id))).toMatchObject({
        code: 'mutation_id_reused',
      });
    expect(await test.data('last')).toEqual({ n: 2, tags: [] });
  });

  it('of many devices at the same time are all taken', async () => {
    await test.write(test.ann, 'stale', { n: 0, who: [] });
    const results = await Promise.all(
      Array.from({ length: 24 }, (_, at) =>
        test.app
          .as('a', 'ann', `device ${String(at)}`)
          .one(patch('stale', test.id, { inc: { n: 1 }, add: { who: [at] } }, { mutation_id: 'm' })),
      ),
    );
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['accepted']));
    const data = (await test.data('stale')) as { n: number; who: number[] };
    expect(data.n).toBe(24);
    expect(data.who.sort((a, b) => a - b)).toEqual([...Array(24).keys()]);
  });
});

describe('a patch that sets what nobody else has changed', () => {
  it.each(['last', 'stale', 'client', 'merge', 'rejecting', 'deleting'])(
    'is no conflict in %s',
    async (collection) => {
      const first = await test.twoEdits(
        collection,
        { title: 't', body: 'b', at: { x: 1, y: 1 } },
        { title: 'theirs', body: 'b', at: { x: 2, y: 1 } },
      );
      expect(
        await send(
          test.ann,
          collection,
          { data: { body: 'mine', 'at.y': 3 } },
          { parent_version: first, hlc: edited(1) },
        ),
      ).toMatchObject({ status: 'accepted', server_version: null });
      expect(await test.data(collection)).toEqual({ title: 'theirs', body: 'mine', at: { x: 2, y: 3 } });
    },
  );

  it('or sets the same value, is none either', async () => {
    const first = await test.twoEdits('stale', { title: 't', gone: 1 }, { title: 'same' });
    expect(
      await send(test.ann, 'stale', { data: { title: 'same' }, unset: ['gone'] }, { parent_version: first }),
    ).toMatchObject({ status: 'accepted' });
  });
});

describe('a patch that sets what others have changed', () => {
  const theirs = { title: 'theirs', body: 'b', n: 5 };
  const both = { data: { title: 'mine', body: 'mine too' }, inc: { n: 1 } };

  const conflict = async (collection: string, more: object, parts: object = both): Promise<PushResult> => {
    const parent_version = await test.twoEdits(collection, { title: 't', body: 'b', n: 1 }, theirs);
    return send(test.ann, collection, parts, { parent_version, ...more });
  };

  it.each(['last', 'merge'])('%s: a newer one wins field by field', async (collection) => {
    const result = await conflict(collection, { hlc: editedLast() });
    expect(result).toMatchObject({
      status: 'conflict_resolved',
      server_document: { version: result.new_version, data: { title: 'mine', body: 'mine too', n: 6 } },
    });
    expect(result.server_version).not.toBe(result.new_version);
    expect(await test.data(collection)).toEqual({ title: 'mine', body: 'mine too', n: 6 });
  });

  it.each(['last', 'merge'])('%s: an older one loses these fields alone', async (collection) => {
    expect(await conflict(collection, { hlc: edited(1) })).toMatchObject({
      status: 'conflict_resolved',
      server_document: { data: { title: 'theirs', body: 'mine too', n: 6 } },
    });
    expect(await test.data(collection)).toEqual({ title: 'theirs', body: 'mine too', n: 6 });
  });

  it.each(['last', 'merge'])('%s: an older one of which nothing is left is stale', async (collection) => {
    expect(await conflict(collection, { hlc: edited(1) }, { data: { title: 'mine' } })).toMatchObject({
      status: 'rejected',
      code: 'conflict_stale',
      server_document: { deleted: false, data: theirs },
    });
    expect(await test.data(collection)).toEqual(theirs);
  });

  it('reject-stale refuses all of it', async () => {
    expect(await conflict('stale', { hlc: editedLast() })).toMatchObject({
      code: 'conflict_stale',
      server_document: { data: theirs },
    });
    expect(await test.data('stale')).toEqual(theirs);
  });

  it('client-wins sets them', async () => {
    expect(await conflict('client', { hlc: edited(1) })).toMatchObject({ status: 'conflict_resolved' });
    expect(await test.data('client')).toEqual({ title: 'mine', body: 'mine too', n: 6 });
  });

  it.each([
    ['a field inside of an object that others have replaced', { data: { 'at.x': 9 } }, { at: { x: 2 } }],
    ['an object in which others have set a field', { data: { at: { z: 1 } } }, { at: { x: 1, y: 1 } }],
    ['an object that others have removed', { data: { 'at.x': 9 } }, {}],
    ['the removal of what others have changed', { unset: ['at'] }, { at: { x: 3 } }],
  ])('%s is a conflict', async (_, parts, second) => {
    const parent_version = await test.twoEdits('stale', { at: { x: 1 } }, second);
    expect(await send(test.ann, 'stale', parts, { parent_version })).toMatchObject({
      code: 'conflict_stale',
    });
  });
});

describe('when the log has no base', () => {
  const theirs = { title: 'theirs', body: 'b' };
  const conflict = async (collection: string, more: object): Promise<PushResult> => {
    await test.twoEdits(collection, { title: 't', body: 'b' }, theirs);
    // No parent: nobody knows what the patch was made on.
    return send(test.ann, collection, { data: { title: 'mine' } }, more);
  };

  it.each(['last', 'merge'])(
    '%s: a newer patch sets its fields and leaves all others alone',
    async (name) => {
      expect(await conflict(name, { hlc: editedLast() })).toMatchObject({ status: 'conflict_resolved' });
      expect(await test.data(name)).toEqual({ title: 'mine', body: 'b' });
    },
  );

  it.each(['last', 'merge'])('%s: an older one is stale', async (name) => {
    for (const more of [{}, { hlc: edited(1) }]) {
      test.nextDocument();
      expect(await conflict(name, more)).toMatchObject({ code: 'conflict_stale' });
      expect(await test.data(name)).toEqual(theirs);
    }
  });

  it('reject-stale refuses, client-wins sets', async () => {
    expect(await conflict('stale', { hlc: editedLast() })).toMatchObject({ code: 'conflict_stale' });
    test.nextDocument();
    expect(await conflict('client', {})).toMatchObject({ status: 'conflict_resolved' });
    expect(await test.data('client')).toEqual({ title: 'mine', body: 'b' });
  });
});

describe('a patch of a deleted document', () => {
  const deleted = async (collection: string): Promise<string> => {
    const { new_version: parent } = await test.write(test.ann, collection, {
      title: 't',
      n: 1,
      at: { x: 1 },
    });
    await test.write(test.bea, collection, null, { parent_version: parent });
    return parent ?? '';
  };
  const edit = { data: { title: 'mine' }, inc: { n: 1 } };

  it.each(['last', 'client', 'merge'])('%s brings it back as its sender had it', async (collection) => {
    const parent_version = await deleted(collection);
    expect(await send(test.ann, collection, edit, { parent_version })).toMatchObject({
      status: 'conflict_resolved',
      server_document: { deleted: false, data: { title: 'mine', n: 2, at: { x: 1 } } },
    });
    expect(await test.data(collection)).toEqual({ title: 'mine', n: 2, at: { x: 1 } });
  });

  it.each(['stale', 'rejecting', 'deleting'])('%s keeps it deleted', async (collection) => {
    const parent_version = await deleted(collection);
    for (const parts of [edit, { inc: { n: 1 } }])
      expect(await send(test.ann, collection, parts, { parent_version })).toMatchObject({
        code: 'conflict_deleted',
        server_document: { deleted: true, data: null },
      });
  });

  it('stays deleted where nobody knows what the patch was made on, or its sender knew', async () => {
    await deleted('last');
    expect(await send(test.ann, 'last', edit)).toMatchObject({ code: 'conflict_deleted' });
    const { version } = (await test.ann.read('last', test.id))!;
    expect(await send(test.ann, 'last', edit, { parent_version: version })).toMatchObject({
      code: 'conflict_deleted',
    });
  });
});

describe('changes of one device in one push', () => {
  const push = (collection: string, ...changes: [object | 'delete', object?][]): Promise<PushResult[]> =>
    test.ann.push(
      changes.map(([parts, more = {}]) =>
        parts === 'delete'
          ? remove(collection, test.id, { ...fresh(), ...more })
          : 'whole' in parts
            ? upsert(collection, test.id, parts.whole, { ...fresh(), ...more })
            : patch(collection, test.id, parts, { ...fresh(), ...more }),
      ),
      { atomic: 'mutation' },
    );
  const statuses = (results: PushResult[]): string[] => results.map(({ status, code }) => code ?? status);

  it.each(['last', 'stale', 'client', 'merge'])('%s: are no conflict with each other', async (collection) => {
    const { new_version } = await test.write(test.ann, collection, { a: 1, b: 1, n: 1 });
    const more = { parent_version: new_version };
    const made = await push(
      collection,
      [{ data: { a: 2 } }, more],
      [{ data: { a: 3, b: 2 } }, more],
      [{ inc: { n: 1 } }, more],
      [{ whole: { a: 4, b: 2, n: 2 } }, more],
      [{ data: { a: 5 }, unset: ['b'] }, more],
    );
    expect(statuses(made)).toEqual(Array(5).fill('accepted'));
    expect(await test.data(collection)).toEqual({ a: 5, n: 2 });
    expect(
      statuses(await push(collection, [{ data: { a: 6 } }, { parent_version: made.at(-1)?.new_version }])),
    ).toEqual(['accepted']);
  });

  it('a document that is made and patched', async () => {
    expect(
      statuses(await push('stale', [{ whole: { n: 1 } }], [{ inc: { n: 1 } }], [{ data: { t: 'x' } }])),
    ).toEqual(['accepted', 'accepted', 'accepted']);
    expect(await test.data('stale')).toEqual({ n: 2, t: 'x' });
  });

  it.each(['last', 'stale', 'merge'])(
    '%s: the second is not spared a conflict with others because the first had none',
    async (collection) => {
      const parent_version = await test.twoEdits(
        collection,
        { a: 1, b: 1, c: 1 },
        { a: 1, b: 'theirs', c: 1 },
      );
      const more = { parent_version, hlc: edited(1) };
      const made = await push(
        collection,
        [{ data: { a: 2 } }, more],
        [{ data: { b: 2 } }, more],
        [{ data: { a: 3, c: 3 } }, more],
      );
      expect(statuses(made)).toEqual(['accepted', 'conflict_stale', 'accepted']);
      expect(await test.data(collection)).toEqual({ a: 3, b: 'theirs', c: 3 });
    },
  );

  it('a whole document after a patch takes nothing of others back that its sender has not seen', async () => {
    const parent_version = await test.twoEdits('last', { a: 1, b: 1 }, { a: 1, b: 'theirs' });
    const more = { parent_version };
    const made = await push('last', [{ data: { a: 2 } }, more], [{ whole: { a: 3, b: 1 } }, more]);
    expect(statuses(made)).toEqual(['accepted', 'conflict_stale']);
    test.nextDocument();
    const other = { parent_version: await test.twoEdits('merge', { a: 1, b: 1 }, { a: 1, b: 'theirs' }) };
    const merged = await push('merge', [{ data: { a: 2 } }, other], [{ whole: { a: 3, b: 1 } }, other]);
    expect(statuses(merged)).toEqual(['accepted', 'conflict_resolved']);
    expect(await test.data('merge')).toEqual({ a: 3, b: 'theirs' });
  });

  it('and are judged the same when the first is a retry', async () => {
    const parent_version = await test.twoEdits('stale', { a: 1, b: 1, n: 1 }, { a: 1, b: 'theirs', n: 1 });
    const first = patch('stale', test.id, { data: { a: 2 }, inc: { n: 1 } }, { ...fresh(), parent_version });
    expect((await test.ann.one(first)).status).toBe('accepted');
    const results = await test.ann.push(
      [
        first,
        patch('stale', test.id, { data: { a: 3, n: 9 } }, { ...fresh(), parent_version }),
        patch('stale', test.id, { data: { b: 3 } }, { ...fresh(), parent_version }),
      ],
      { atomic: 'mutation' },
    );
    expect(statuses(results)).toEqual(['accepted', 'accepted', 'conflict_stale']);
    expect(await test.data('stale')).toEqual({ a: 3, b: 'theirs', n: 9 });
  });

  it('a document that is deleted and patched stays deleted', async () => {
    await test.write(test.ann, 'last', { a: 1 });
    const { version } = (await test.ann.read('last', test.id))!;
    const more = { parent_version: version };
    expect(statuses(await push('last', ['delete', more], [{ data: { a: 2 } }, more]))).toEqual([
      'accepted',
      'conflict_deleted',
    ]);
    expect(statuses(await push('last', [{ whole: { a: 1 } }], [{ inc: { a: 1 } }], ['delete']))).toEqual([
      'conflict_resolved',
      'accepted',
      'accepted',
    ]);
  });

  it('in a batch stand or fall with it', async () => {
    await test.write(test.ann, 'last', { n: 1 });
    const results = await test.ann.push([
      patch('last', test.id, { inc: { n: 1 } }, fresh()),
      patch('last', test.id, { inc: { n: 'x' } }, fresh()),
    ]);
    expect(statuses(results)).toEqual(['batch_rolled_back', 'invalid_patch']);
    expect((await test.data('last')) as JsonObject).toEqual({ n: 1 });
  });
});
