import {
  describeIndex,
  missingIndexes,
  TOMBSTONE_INDEX,
  uniqueIndexAdvice,
  type ExistingIndex,
  type IndexSpec,
} from './indexes';

const wanted: IndexSpec = { key: { scope: 1, seq: 1 }, unique: true };
const existing: ExistingIndex = { name: 'scope_1_seq_1', key: { scope: 1, seq: 1 }, unique: true };

describe('missingIndexes', () => {
  it('finds an index by its key, whatever its name', () => {
    expect(missingIndexes([wanted], [{ ...existing, name: 'other' }])).toEqual([]);
    expect(missingIndexes([{ key: { at: 1 } }], [{ name: 'x', key: { at: 1 }, unique: false }])).toEqual([]);
  });

  it('finds it among others, and names each that is not there', () => {
    const other: ExistingIndex = { name: '_id_', key: { _id: 1 }, unique: true };
    const absent: IndexSpec = { key: { at: 1 } };
    expect(missingIndexes([wanted, absent], [other, existing])).toEqual([absent]);
    expect([wanted, absent].map((spec) => describeIndex('sync_oplog', spec))).toEqual([
      'sync_oplog {"scope":1,"seq":1} unique',
      'sync_oplog {"at":1}',
    ]);
  });

  it.each<[string, Partial<ExistingIndex>]>([
    ['another order of the fields', { key: { seq: 1, scope: 1 } }],
    ['another direction', { key: { scope: 1, seq: -1 } }],
    ['no uniqueness', { unique: false }],
    ['a partial filter', { partialFilterExpression: { seq: { $gt: 0 } } }],
    ['a collation', { collation: { locale: 'de' } }],
    ['sparseness', { sparse: true }],
    ['being hidden', { hidden: true }],
  ])('does not take one with %s for it', (_what, difference) => {
    expect(missingIndexes([wanted], [{ ...existing, ...difference }])).toEqual([wanted]);
  });
});

it('takes a partial index for one with the same filter alone', () => {
  const index: ExistingIndex = { name: 'x', key: TOMBSTONE_INDEX.key };
  const filter = { partialFilterExpression: { _sync_deleted: true } };
  expect(missingIndexes([TOMBSTONE_INDEX], [{ ...index, ...filter }])).toEqual([]);
  for (const other of [index, { ...index, partialFilterExpression: { _sync_deleted: false } }])
    expect(missingIndexes([TOMBSTONE_INDEX], [other])).toEqual([TOMBSTONE_INDEX]);
});

describe('uniqueIndexAdvice', () => {
  const good: ExistingIndex = {
    name: 'sku',
    key: { _sync_scope_id: 1, sku: 1 },
    unique: true,
    partialFilterExpression: { _sync_deleted: false },
  };

  it('is silent about good unique indexes, plain ones and _id', () => {
    const plain: ExistingIndex = { name: 'sku_1', key: { sku: 1 } };
    expect(
      uniqueIndexAdvice('items', [good, plain, { name: '_id_', key: { _id: 1 }, unique: true }]),
    ).toEqual([]);
  });

  it('names the collection, the index, the fault and the remedy', () => {
    const [global] = uniqueIndexAdvice('items', [{ ...good, key: { sku: 1 } }]);
    expect(global).toContain('sku of items does not begin with _sync_scope_id');
    expect(global).toContain('{"_sync_scope_id":1,"sku":1}');
    expect(global).not.toContain('tombstones');
    const [tombstones] = uniqueIndexAdvice('items', [
      { ...good, partialFilterExpression: { sku: { $gt: '' } } },
    ]);
    expect(tombstones).toContain('tombstones');
    expect(tombstones).not.toContain('begin with');
    const both = uniqueIndexAdvice('items', [{ name: 'sku', key: { sku: 1 }, unique: true }]);
    expect(both).toEqual([expect.stringMatching(/does not begin with .*, and counts deleted documents/)]);
  });
});
