import type { StreamSubscription } from '../stream/stream-subscription';
import { Subscriptions } from './subscriptions';

const TOTAL = { entries: 4_096, bytes: 1 << 20 };

/** A subscription by what the socket asks of it: its runs are given one after another. */
class Scripted {
  isOpen = false;
  reading = false;
  ready: () => void = () => undefined;

  constructor(
    readonly runs: string[][] = [],
    /** Whether a page has to be read before there is anything. */
    private readonly mustRead = false,
  ) {}

  get wantsPage(): boolean {
    return this.mustRead && this.runs.length === 0 && !this.reading;
  }
  get holdsPage(): boolean {
    return this.reading;
  }
  open(ready: () => void): void {
    this.isOpen = true;
    this.ready = ready;
    ready();
  }
  close(): void {
    this.isOpen = false;
  }
  next(): string[] | undefined {
    if (this.wantsPage) this.reading = true;
    return this.runs.shift();
  }
}

function started(all: Subscriptions, scope: string, scripted: Scripted): Scripted {
  all.start({ scope, asked: undefined, subscription: scripted as unknown as StreamSubscription });
  return scripted;
}
function drain(all: Subscriptions): string[] {
  const given: string[] = [];
  for (let delivery = all.next(1); delivery; delivery = all.next(1))
    if ('next' in delivery)
      given.push(`${delivery.of.scope}:${(delivery.next as unknown as string[]).join()}`);
  return given;
}

describe('the subscriptions of a socket', () => {
  it('are given their turns one after another', () => {
    const all = new Subscriptions(TOTAL, () => undefined);
    started(all, 'a', new Scripted([['1'], ['2'], ['3']]));
    started(all, 'b', new Scripted([['1']]));
    started(all, 'c', new Scripted([['1'], ['2']]));
    expect(drain(all)).toEqual(['a:1', 'b:1', 'c:1', 'a:2', 'c:2', 'a:3']);
  });

  it('are asked again when they say that they have something', () => {
    let changed = 0;
    const all = new Subscriptions(TOTAL, () => (changed += 1));
    const a = started(all, 'a', new Scripted());
    drain(all);
    const before = changed;
    a.runs.push(['1']);
    expect(drain(all)).toEqual([]);
    a.ready();
    expect(changed).toBe(before + 1);
    expect(drain(all)).toEqual(['a:1']);
  });

  it('read a few pages at a time, and all of them in the end', () => {
    const all = new Subscriptions(TOTAL, () => undefined);
    const scripted = Array.from({ length: 11 }, (_, n) => started(all, String(n), new Scripted([], true)));
    let most = 0;
    for (let left = 11; left > 0;) {
      expect(drain(all).length).toBeLessThanOrEqual(4);
      const reading = scripted.filter((one) => one.reading);
      most = Math.max(most, reading.length);
      const [page] = reading;
      if (!page) throw new Error('Nobody reads, and some wait');
      page.reading = false;
      page.runs.push(['page']);
      page.ready();
      expect(drain(all)).toHaveLength(1);
      page.reading = false;
      page.close();
      left -= 1;
      all.stop(String(scripted.indexOf(page)));
    }
    expect(most).toBe(4);
  });

  it('share what may wait for one alone', () => {
    const all = new Subscriptions(TOTAL, () => undefined);
    expect([all.entries, all.bytes]).toEqual([4_096, 1 << 20]);
    started(all, 'a', new Scripted());
    expect([all.entries, all.bytes]).toEqual([4_096, 1 << 20]);
    started(all, 'b', new Scripted());
    expect([all.entries, all.bytes]).toEqual([2_048, 1 << 19]);
    for (let n = 0; n < 100; n++) started(all, `more-${String(n)}`, new Scripted());
    expect([all.entries, all.bytes]).toEqual([256, 64 << 10]);
    expect(new Subscriptions({ entries: 4_096, bytes: 1_024 }, () => undefined).bytes).toBe(1_024);
  });

  it('are closed when another of the scope takes their place, and when all end', () => {
    const all = new Subscriptions(TOTAL, () => undefined);
    const [a, again, b] = [new Scripted([['old']]), new Scripted([['new']]), new Scripted()];
    started(all, 'a', a);
    started(all, 'a', again);
    started(all, 'b', b);
    expect([a.isOpen, again.isOpen, all.size]).toEqual([false, true, 2]);
    a.ready();
    expect(drain(all)).toEqual(['a:new']);
    all.stopAll();
    expect([again.isOpen, b.isOpen, all.size]).toEqual([false, false, 0]);
    all.stop('a');
  });

  it('hand on what one of them fails with, and go on', () => {
    const all = new Subscriptions(TOTAL, () => undefined);
    const failing = new Scripted();
    failing.next = () => {
      throw new Error('away');
    };
    started(all, 'a', failing);
    started(all, 'b', new Scripted([['1']]));
    expect(all.next(1)).toMatchObject({ of: { scope: 'a' }, error: new Error('away') });
    expect(drain(all)).toEqual(['b:1']);
  });
});
