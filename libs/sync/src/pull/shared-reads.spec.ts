import { setTimeout as delay } from 'node:timers/promises';
import { SharedReads } from './shared-reads';

const BOUNDS = { keys: 3, patienceMs: 60_000, atOnce: 2 };

/** Reads that the test ends one by one. A value tells its key and the number of the read. */
class Source {
  readonly reads: { readonly keys: readonly string[]; end(error?: Error): Promise<void> }[] = [];

  readonly read = (keys: readonly string[]): Promise<(key: string) => string> =>
    new Promise((resolve, reject) => {
      const number = this.reads.length;
      this.reads.push({
        keys,
        end: async (error) => {
          if (error) reject(error);
          else resolve((key) => `${key}:${number}`);
          await delay(0);
        },
      });
    });

  get keys(): (readonly string[])[] {
    return this.reads.map(({ keys }) => keys);
  }
}

describe('shared reads', () => {
  it('reads at once for a caller that is alone, then once for all who came meanwhile', async () => {
    const source = new Source();
    const shared = new SharedReads(source.read, BOUNDS);
    const first = shared.get('a');
    const others = ['b', 'c', 'b'].map((key) => shared.get(key));
    expect(source.keys).toEqual([['a']]);
    await source.reads[0]?.end();
    expect(source.keys).toEqual([['a'], ['b', 'c']]);
    await source.reads[1]?.end();
    expect(await Promise.all([first, ...others])).toEqual(['a:0', 'b:1', 'c:1', 'b:1']);
  });

  it('never answers from a read that began before the question', async () => {
    const source = new Source();
    const shared = new SharedReads(source.read, BOUNDS);
    const before = shared.get('a');
    const after = shared.get('a');
    await source.reads[0]?.end();
    await source.reads[1]?.end();
    expect(await Promise.all([before, after])).toEqual(['a:0', 'a:1']);
  });

  it('bounds the keys of a read', async () => {
    const source = new Source();
    const shared = new SharedReads(source.read, BOUNDS);
    const all = ['a', 'b', 'c', 'd', 'e'].map((key) => shared.get(key));
    for (const index of [0, 1, 2]) await source.reads[index]?.end();
    expect(source.keys).toEqual([['a'], ['b', 'c', 'd'], ['e']]);
    expect(await Promise.all(all)).toEqual(['a:0', 'b:1', 'c:1', 'd:1', 'e:2']);
  });

  it('gives an error to all that waited for this read, and goes on', async () => {
    const source = new Source();
    const shared = new SharedReads(source.read, BOUNDS);
    const first = shared.get('a');
    const refused = Promise.allSettled(['b', 'c'].map((key) => shared.get(key)));
    await source.reads[0]?.end();
    const later = shared.get('b');
    await source.reads[1]?.end(new Error('out of reach'));
    await source.reads[2]?.end();
    expect(await first).toBe('a:0');
    expect((await refused).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await later).toBe('b:2');
  });

  it('waits for a read that hangs only so long, and asks only so often', async () => {
    const source = new Source();
    const shared = new SharedReads(source.read, { ...BOUNDS, patienceMs: 5 });
    const hanging = shared.get('a');
    const helped = shared.get('b');
    await delay(25);
    const third = shared.get('c');
    await delay(25);
    expect(source.keys).toEqual([['a'], ['b']]);
    await source.reads[1]?.end();
    expect(await helped).toBe('b:1');
    await source.reads[2]?.end();
    expect(await third).toBe('c:2');
    await source.reads[0]?.end();
    expect(await hanging).toBe('a:0');
  });
});
