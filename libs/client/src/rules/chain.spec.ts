import fc from 'fast-check';
import type { JsonObject } from 'nest-offline-sync-protocol';
import '../../../../test/support/runs.ts';
import type { BaseRow } from '../storage.ts';
import { edit, isFinished, repinned, settled, shown, type Edit } from './chain.ts';
import { EMPTY_PATCH, patched, touches } from './fields.ts';
import type { Change, Mutation } from './mutation.ts';

const [V1, V2, V3] = ['1', '2', '3'].map((n) => `20260502T12000${n}.000Z-0000-a`) as [string, string, string];
const row = (data: JsonObject | null, version = V1): BaseRow => ({ id: 'd', version, data, generation: 1 });
const made = (kind: Edit['kind'], change: Change, seq: number, tx?: string): Edit => ({
  collection: 'c',
  doc: 'd',
  kind,
  change,
  id: `m${String(seq)}`,
  seq,
  editedAt: seq,
  seen: null,
  tx,
});
const mutation = (part: Partial<Mutation> = {}): Mutation => ({
  seq: 1,
  id: 'm1',
  collection: 'c',
  doc: 'd',
  change: { operation: 'patch', patch: { ...EMPTY_PATCH, set: { a: 1 } } },
  before: { a: 0, b: 0 },
  after: { a: 1, b: 0 },
  parent: V1,
  editedAt: 1,
  seen: null,
  state: 'waiting',
  returns: 0,
  ...part,
});
const set = (fields: JsonObject): Change => ({ operation: 'patch', patch: { ...EMPTY_PATCH, set: fields } });

const small = fc.record(
  { a: fc.nat({ max: 2 }), b: fc.nat({ max: 2 }) },
  { requiredKeys: [], noNullPrototype: true },
) as fc.Arbitrary<JsonObject>;
const anyEdit = fc.oneof(
  small.map((data) => ['upsert', { operation: 'upsert', data }] as const),
  small.map((fields) => ['patch', set({ ...fields, a: 1 })] as const),
  fc
    .nat({ max: 2 })
    .map((by) => ['patch', { operation: 'patch', patch: { ...EMPTY_PATCH, inc: { n: by } } }] as const),
  fc.constant(['delete', { operation: 'delete' }] as const),
);

function laid(before: JsonObject | null, change: Change): JsonObject | null {
  if (change.operation === 'delete') return null;
  if (change.operation === 'upsert') return change.data;
  const result = patched(before ?? {}, change.patch);
  return result.ok ? result.data : before;
}

it('has the parent of its chain, however far the base has moved on', () => {
  const moved = row({ a: 5, b: 5 }, V3);
  const edited = edit([mutation({ state: 'sent' })], moved, made('patch', set({ b: 1 }), 2), true);
  expect(edited).toMatchObject({ put: { parent: V1, before: { a: 1, b: 0 }, after: { a: 1, b: 1 } } });
});

it('says by its mutations what the user did, however many edits became one, and whatever was sent between', () => {
  const steps = fc.array(fc.tuple(anyEdit, fc.boolean()), { maxLength: 8 });
  fc.assert(
    fc.property(fc.option(small), steps, (start, edits) => {
      const base = start ? row(start) : undefined;
      let chain: Mutation[] = [];
      let plain = start;
      edits.forEach(([[kind, change], isSent], index) => {
        const edited = edit(chain, base, made(kind, change, index + 1), true);
        if (!edited.ok) return;
        plain = laid(plain, change);
        chain = chain.filter((each) => each !== edited.drop && each.seq !== edited.put?.seq);
        if (edited.put) chain.push(edited.put);
        if (isSent) chain = chain.map((each) => ({ ...each, state: 'sent' as const }));
      });
      expect(shown(chain, base)).toEqual(plain);
      // Each was made on what the one before has left, and says just what is different.
      let folded = start;
      for (const each of chain) {
        expect(each.before).toEqual(folded);
        folded = laid(folded, each.change);
        expect(each.after).toEqual(folded);
        expect(each.parent).toBe(base?.version ?? null);
      }
    }),
  );
});

it('never changes what was sent, what came back, or what is of another transaction', () => {
  for (const last of [mutation({ state: 'sent' }), mutation({ returns: 1 }), mutation({ tx: 't' })])
    expect(edit([last], row({}), made('patch', set({ a: 2 }), 2), true)).toMatchObject({
      put: { seq: 2, parent: V1 },
    });
  expect(edit([mutation()], row({}), made('patch', set({ a: 2 }), 2), false)).toMatchObject({
    put: { seq: 2 },
  });
});

it('takes back what was never sent: a document that was made and deleted', () => {
  const created = edit([], undefined, made('create', { operation: 'upsert', data: { a: 1 } }, 1), true);
  if (!created.ok || !created.put) throw new Error('not created');
  const deleted = edit([created.put], undefined, made('delete', { operation: 'delete' }, 2), true);
  expect(deleted).toEqual({ ok: true, drop: created.put, mutation: undefined, after: null });
});

describe('R2, the new pin', () => {
  it('is for what others have not touched, by field; where a conflict is refused or resolved only if they did nothing', () => {
    const strategy = fc.constantFrom(
      'last-writer-wins',
      'merge',
      'client-wins',
      'reject-stale',
      'custom',
      undefined,
    );
    fc.assert(
      fc.property(small, small, small, strategy, (before, now, fields, by) => {
        const change = set({ ...fields, a: 1 });
        const waiting = mutation({ change, before, after: laid(before, change) });
        const again = repinned(waiting, { base: row(now, V2), cursor: V2, strategy: by });
        const isSame =
          JSON.stringify(Object.entries(before).sort()) === JSON.stringify(Object.entries(now).sort());
        const isApart = change.operation === 'patch' && !touches(change.patch, before, now);
        const isByField = by !== undefined && by !== 'reject-stale' && by !== 'custom';
        expect(again !== undefined).toBe(isSame || (isApart && isByField));
        if (again) expect(again).toMatchObject({ parent: V2, before: now, after: laid(now, change) });
      }),
    );
  });

  it('is never for a whole document, a deletion or a transaction that others were faster than', () => {
    const ground = { base: row({ b: 9 }, V2), cursor: V2, strategy: 'merge' };
    for (const part of [
      { change: { operation: 'delete' } },
      { change: { operation: 'upsert', data: {} } },
      { tx: 't' },
    ] as const)
      expect(repinned(mutation(part), ground)).toBeUndefined();
    expect(repinned(mutation({ state: 'sent' }), ground)).toBeUndefined();
  });
});

describe('R3, finished', () => {
  const answered = mutation({ state: 'answered', answer: { version: V2 } });
  it.each([
    ['the base has it', row({}, V2), undefined, true],
    ['the base is newer', row({}, V3), undefined, true],
    ['the base is older, though the cursor is past it', row({}, V1), V3, false],
    ['the base never had a version', { ...row({}), version: null }, V3, false],
    ['no such document, and the cursor is past it', undefined, V2, true],
    ['no such document, and the cursor is not there yet', undefined, V1, false],
    ['no such document, while everything is loaded', undefined, undefined, false],
  ])('%s', (_, base, cursor, finished) => {
    expect(isFinished(answered, { base, cursor, strategy: undefined })).toBe(finished);
    expect(isFinished({ ...answered, doubtful: true }, { base, cursor, strategy: undefined })).toBe(false);
    expect(isFinished({ ...answered, state: 'sent' }, { base, cursor, strategy: undefined })).toBe(false);
  });

  const [first, second] = [
    answered,
    mutation({ seq: 2, id: 'm2', before: { a: 1, b: 0 }, after: { a: 2, b: 0 } }),
  ];
  it('stays while the next one may have to bring it along', () => {
    const ground = { base: row({ a: 7, b: 0 }, V2), cursor: V2, strategy: 'merge' };
    expect(settled([first, second], ground)).toEqual({ chain: [first, second], gone: [] });
    const sent = { ...second, state: 'sent' as const };
    expect(settled([first, sent], ground)).toEqual({ chain: [first, sent], gone: [] });
    const done = { ...second, state: 'answered' as const, answer: { version: V3 } };
    expect(settled([first, done], ground)).toEqual({ chain: [done], gone: [first] });
  });

  it('goes when the next one no longer stands on it', () => {
    const ground = { base: row({ a: 1, b: 5 }, V2), cursor: V2, strategy: 'merge' };
    const { chain, gone } = settled([first, second], ground);
    expect(gone).toEqual([first]);
    expect(chain).toMatchObject([{ id: 'm2', parent: V2, before: { a: 1, b: 5 }, after: { a: 1, b: 5 } }]);
  });
});
