import fc from 'fast-check';
import { formatHlc, ZERO_VERSION, type JsonObject } from 'nest-offline-sync-protocol';
import { runs } from '../../../../test/support/runs';
import { differenceOf, repairOf, type DocumentHere, type NewestEntry } from './difference';

const versionAt = (n: number): string => formatHlc({ ms: 1_770_000_000_000 + n, counter: 0, node: 'a' });
const data = fc
  .dictionary(fc.constantFrom('a', 'b', '__proto__', '1'), fc.jsonValue())
  .map((given) => JSON.parse(JSON.stringify(given)) as JsonObject);

/** What was written to one document, oldest first, null: its delete; and how many of the entries are below the floor. */
const history = fc
  .record({
    writes: fc.array(fc.option(data, { nil: null }), { minLength: 1, maxLength: 5 }),
    trimmed: fc.nat({ max: 5 }),
    isHashed: fc.boolean(),
  })
  .map(({ writes, trimmed, isHashed }) => {
    const last = writes.length;
    const written = writes[last - 1] ?? null;
    const floor = trimmed === 0 ? ZERO_VERSION : versionAt(Math.min(trimmed, last));
    const document: DocumentHere = {
      at: 'here',
      version: versionAt(last),
      deleted: written === null,
      hash: isHashed ? 'right' : 'none',
      data: written,
    };
    const entry: NewestEntry | undefined =
      versionAt(last) > floor
        ? { version: versionAt(last), operation: written === null ? 'delete' : 'upsert', data: written }
        : undefined;
    return { document, entry, floor };
  });

describe('a document and its newest entry', () => {
  it('do not differ, whatever the engine has written, and however its fields are ordered', () => {
    fc.assert(
      fc.property(history, ({ document, entry, floor }) => {
        expect(differenceOf(document, entry, floor)).toBeUndefined();
        const reversed = document.data && Object.fromEntries(Object.entries(document.data).reverse());
        expect(differenceOf({ ...document, data: reversed }, entry, floor)).toBeUndefined();
      }),
      runs(500),
    );
  });

  it('differ by each kind of damage above the floor, and below it by all that can be told there', () => {
    fc.assert(
      fc.property(history, data, ({ document, entry, floor }, other) => {
        const live = !document.deleted;
        fc.pre(JSON.stringify(other) !== JSON.stringify(document.data));
        const isHashed = document.hash !== 'none';
        // Written past the engine: the hash, where there is one, is that of the content before.
        const written = {
          ...document,
          data: other,
          deleted: false,
          hash: isHashed ? 'wrong' : 'none',
        } as const;
        const removed = {
          ...document,
          data: null,
          deleted: true,
          hash: isHashed ? 'wrong' : 'none',
        } as const;
        const above = entry !== undefined;
        const content = above
          ? live
            ? 'other content'
            : 'not deleted'
          : isHashed
            ? 'other content'
            : undefined;
        expect(differenceOf(written, entry, floor)).toBe(content);
        if (live && above) expect(differenceOf(removed, entry, floor)).toBe('deleted');
        for (const version of [undefined, '', 'v7', '20269999T000000.000Z-0000-a'])
          expect(differenceOf({ ...document, version }, entry, floor)).toBe('bad version');
        const stamped = differenceOf({ ...document, version: versionAt(99) }, entry, floor);
        expect(stamped).toBe(above ? 'other version' : 'no entry');
        if (isHashed)
          expect(differenceOf({ ...document, hash: 'wrong' }, entry, floor)).toBe(
            above ? 'wrong hash' : 'other content',
          );
        const gone = differenceOf(undefined, entry, floor);
        expect(gone).toBe(above ? (live ? 'no document' : 'no tombstone') : undefined);
        for (const scope of ['other', undefined]) {
          const moved = differenceOf({ at: 'elsewhere', scope, version: document.version }, entry, floor);
          expect(moved).toBe(above && live ? (scope ? 'other scope' : 'no scope') : undefined);
        }
      }),
      runs(500),
    );
  });

  it('are the same where only the text of a number differs', () => {
    const version = versionAt(1);
    const document = { at: 'here', version, deleted: false, hash: 'none', data: { n: -0 } } as const;
    const entry = { version, operation: 'upsert', data: JSON.parse('{"n":0.0}') as JsonObject } as const;
    expect(differenceOf(document, entry, ZERO_VERSION)).toBeUndefined();
  });
});

describe('the repair of a difference', () => {
  const finding = { storedId: 1, key: '1', document: 'v1', log: 'v2' };

  it('counts only while the document is as it was seen', () => {
    expect(repairOf({ ...finding, what: 'other content' })).toEqual({ unrecorded: 'v1' });
    expect(repairOf({ ...finding, what: 'bad version', document: null })).toEqual({ unrecorded: null });
    expect(repairOf({ ...finding, what: 'no tombstone' })).toEqual({ lacksTombstone: true });
    expect(repairOf({ ...finding, what: 'other scope' })).toEqual({ hasLeft: true });
  });
});
