import {
  collectionAdvice,
  unfitForEngine,
  unfitKind,
  UNSCOPED_LIMIT,
  unscopedAdvice,
} from './collection-check';
import type { ExistingIndex } from './indexes';

const id: ExistingIndex = { name: '_id_', key: { _id: 1 } };

describe('unfitKind', () => {
  it('takes plain and clustered collections, and no other kind', () => {
    expect(unfitKind({ name: 'a' })).toBeUndefined();
    expect(unfitKind({ name: 'a', type: 'collection', options: {} })).toBeUndefined();
    expect(unfitKind({ name: 'a', type: 'view' })).toContain('a is a view');
    expect(unfitKind({ name: 'a', type: 'timeseries' })).toContain('a is a time-series collection');
    expect(unfitKind({ name: 'a', options: { capped: true } })).toContain('a is a capped collection');
  });
});

describe('unfitForEngine', () => {
  it('takes no collation and no expiry', () => {
    expect(unfitForEngine({ name: 'a' }, [id])).toBeUndefined();
    expect(unfitForEngine({ name: 'a', options: { collation: { locale: 'de' } } }, [])).toContain(
      'collation',
    );
    expect(unfitForEngine({ name: 'a', options: { expireAfterSeconds: 0 } }, [])).toContain('expires');
    const ttl: ExistingIndex = { name: 'ttl', key: { at: 1 }, expireAfterSeconds: 0 };
    expect(unfitForEngine({ name: 'a' }, [id, ttl])).toContain('(ttl)');
    expect(unfitForEngine({ name: 'a', type: 'view' }, [])).toContain('view');
  });
});

describe('collectionAdvice', () => {
  it('is silent about a plain collection, and about a collation that folds nothing', () => {
    expect(collectionAdvice({ name: 'a' }, [id])).toEqual([]);
    for (const collation of [{ locale: 'simple' }, { locale: 'de' }, { locale: 'de', strength: 3 }])
      expect(collectionAdvice({ name: 'a', options: { collation } }, [{ ...id, collation }])).toEqual([]);
  });

  it('names each index that expires', () => {
    const ttl = ['one', 'two'].map((name) => ({ name, key: { at: 1 }, expireAfterSeconds: 60 }));
    expect(collectionAdvice({ name: 'a' }, [id, ...ttl])).toEqual([
      expect.stringContaining('TTL index one of a'),
      expect.stringContaining('TTL index two of a'),
    ]);
  });
});

describe('unscopedAdvice', () => {
  it('tells how many, as far as they were counted', () => {
    expect(unscopedAdvice('a', 0)).toEqual([]);
    expect(unscopedAdvice('a', 3)).toEqual([expect.stringContaining('holds 3 documents')]);
    expect(unscopedAdvice('a', UNSCOPED_LIMIT)).toEqual([expect.stringContaining('1000 or more documents')]);
  });
});
