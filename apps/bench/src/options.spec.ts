import { readOptions, select, UsageError } from './options';

describe('readOptions', () => {
  it('runs everything by default, and less with --quick', () => {
    expect(readOptions([])).toMatchObject({ only: [], rounds: 5, peers: false });
    expect(readOptions(['--quick', '--only', 'push,full'])).toMatchObject({
      quick: true,
      rounds: 1,
      only: ['push', 'full'],
    });
  });

  it('writes the official files with --publish, peers included', () => {
    expect(readOptions(['--publish'])).toMatchObject({
      peers: true,
      json: 'apps/bench/baseline.json',
      docs: 'docs/performance.md',
      plots: 'docs/performance',
    });
    expect(() => readOptions(['--publish', '--quick'])).toThrow(UsageError);
  });

  it('refuses what it does not know, and shows what there is', () => {
    expect(() => readOptions(['--peer'])).toThrow(/--peers/);
    expect(() => readOptions(['--rounds', '0'])).toThrow('--rounds takes a whole number above 0, not 0.');
    expect(() => readOptions(['--seconds', 'long'])).toThrow(UsageError);
  });
});

describe('select', () => {
  const rows = [{ id: 'push-x1' }, { id: 'push-x100' }, { id: 'pull-1' }];

  it('takes rows by how their ids begin, in their own order', () => {
    expect(select(rows, ['pull', 'push-x1'])).toEqual(rows);
    expect(select(rows, ['push-x100'])).toEqual([{ id: 'push-x100' }]);
    expect(select(rows, [])).toEqual(rows);
  });

  it('names the rows when a name fits none', () => {
    expect(() => select(rows, ['pusch'])).toThrow(/No row is called pusch.*pull-1/);
  });
});
