import { asAsked, carriesVersion, newIds, readsOf, statementsOf, tellingUpserts } from './ordinary-call';

describe('what a call of the driver does', () => {
  it.each<[string, unknown[], object[] | undefined]>([
    ['insertOne', [{}], [{ kind: 'insert' }]],
    ['insertOne', [{}, { forceServerObjectId: true }], undefined],
    ['updateOne', [{ _id: 7 }, {}], [{ kind: 'one', isById: true }]],
    ['updateOne', [{ _id: { $in: [7] } }, {}], [{ kind: 'one', isById: false }]],
    ['updateOne', [{ _id: /7/ }, {}], [{ kind: 'one', isById: false }]],
    ['deleteOne', [], [{ kind: 'one', filter: {}, isById: false }]],
    [
      'findOneAndUpdate',
      [{ a: 1 }, {}, { sort: { b: 1 }, hint: 'a_1', upsert: true }],
      [{ kind: 'one', options: { sort: { b: 1 }, hint: 'a_1' } }],
    ],
    ['deleteMany', [{ a: 1 }], [{ kind: 'many', filter: { a: 1 } }]],
    [
      'bulkWrite',
      [
        [{ insertOne: { document: {} } }, { deleteMany: { filter: { a: 1 }, collation: { locale: 'de' } } }],
        { session: {} },
      ],
      [{ kind: 'insert' }, { kind: 'many', filter: { a: 1 }, options: { collation: { locale: 'de' } } }],
    ],
    ['bulkWrite', [[{ insertOne: {} }, { somethingNew: {} }]], undefined],
    ['aggregate', [[{ $out: 'a' }]], undefined],
    ['initializeOrderedBulkOp', [{}], undefined],
    ['command update', [{ update: 'a' }], undefined],
  ])('%s', (method, args, expected) => {
    const told = statementsOf(method, args);
    if (expected) expect(told).toMatchObject(expected);
    else expect(told).toBeUndefined();
  });

  it('reads together what is named by its id, and nothing else', () => {
    const operations = [
      ...Array.from({ length: 201 }, (_, n) => ({ updateOne: { filter: { _id: n, a: 1 }, update: {} } })),
      { deleteOne: { filter: { _id: 7, $expr: {} } } },
      { updateMany: { filter: { a: 1 }, update: {} } },
      { insertOne: { document: {} } },
    ];
    const reads = readsOf(statementsOf('bulkWrite', [operations]) ?? []);
    expect(reads.map(({ filter }) => (filter['$or'] as unknown[] | undefined)?.length ?? filter)).toEqual([
      { _id: 7, $expr: {} },
      { a: 1 },
      200,
      1,
    ]);
  });

  it('has a findOneAnd… tell what an upsert has made, and gives the caller what was asked for', () => {
    const args = [{ a: 1 }, { $set: { a: 2 } }, { upsert: true }];
    const told = tellingUpserts('findOneAndUpdate', args);
    expect(told).toEqual([args[0], args[1], { upsert: true, includeResultMetadata: true }]);
    const result = { value: null, lastErrorObject: { upserted: 'x' } };
    expect(newIds(result)).toEqual(['x']);
    expect(asAsked('findOneAndUpdate', args, result)).toBeNull();
    expect(asAsked('findOneAndUpdate', told, result)).toBe(result);
    expect(tellingUpserts('updateOne', args)).toBe(args);
  });

  it.each<[string, unknown[], boolean]>([
    ['insertOne', [{ _sync_version: 'v' }], true],
    ['insertOne', [{ a: 1 }], false],
    ['insertMany', [[{ _sync_version: 'v' }, { a: 1 }]], false],
    ['insertMany', [[]], false],
    ['updateOne', [{ _sync_version: 'v' }, { $set: { a: 1 } }], false],
    ['updateOne', [{}, { $set: { a: 1, _sync_version: 'v' } }], true],
    ['updateMany', [{}, [{ $set: { _sync_version: 'v' } }]], true],
    ['replaceOne', [{}, { _sync_version: 'v' }], true],
    ['deleteOne', [{ _sync_version: 'v' }], false],
    ['bulkWrite', [[{ insertOne: { document: { _sync_version: 'v' } } }]], true],
    ['bulkWrite', [[{ updateOne: { filter: {}, update: { $set: { _sync_version: 'v' } } } }]], true],
    [
      'bulkWrite',
      [[{ replaceOne: { filter: {}, replacement: { _sync_version: 'v' } } }, { deleteOne: {} }]],
      false,
    ],
  ])('knows by the version what the app records itself: %s %j', (method, args, carries) => {
    expect(carriesVersion(method, args)).toBe(carries);
  });
});
