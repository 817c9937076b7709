import fc from 'fast-check';
import type { PushId } from 'nest-offline-sync-protocol';
import { runs } from '../../../../test/support/runs';
import { PushWindow } from './push-window';

interface Push {
  readonly id: PushId;
  readonly bytes: number;
}

describe('the pushes of a socket that have no answer yet', () => {
  const push = (id: PushId, bytes = 1): Push => ({ id, bytes });

  it('are so many at a time, and the next ones wait in their order', () => {
    const window = new PushWindow<Push>({ pushes: 2, bytes: 100 });
    const [a, b, c, d] = [push('a'), push('b'), push('c'), push('d')];
    expect([a, b, c, d].map((each) => window.offer(each, false))).toEqual([
      'begins',
      'begins',
      'waits',
      'waits',
    ]);
    expect(window.next()).toBeUndefined();
    window.end(b);
    expect(window.next()).toBe(c);
    expect(window.next()).toBeUndefined();
    window.end(a);
    window.end(c);
    expect(window.next()).toBe(d);
    expect(window.isHeldUp).toBe(false);
  });

  it('have so many bytes together, but one of any size is let in alone', () => {
    const window = new PushWindow<Push>({ pushes: 9, bytes: 10 });
    const large = push(1, 1_000);
    expect(window.offer(large, false)).toBe('begins');
    expect(window.offer(push(2), false)).toBe('waits');
    window.end(large);
    expect(window.next()).toMatchObject({ id: 2 });
    expect(window.offer(push(3, 9), false)).toBe('begins');
    expect(window.offer(push(4, 1), false)).toBe('waits');
  });

  it('never have the same id, begun or waiting, until the first has its answer', () => {
    const window = new PushWindow<Push>({ pushes: 1, bytes: 10 });
    const [first, second] = [push('a'), push('b')];
    window.offer(first, false);
    window.offer(second, false);
    expect([window.offer(push('a'), false), window.offer(push('b'), false)]).toEqual([
      'id in use',
      'id in use',
    ]);
    expect([window.offer(push(1), false), window.offer(push('1'), false)]).toEqual(['waits', 'waits']);
    window.end(first);
    expect(window.offer(push('a'), false)).toBe('waits');
    expect(window.withdraw().map(({ id }) => id)).toEqual(['b', 1, '1', 'a']);
    expect(window.offer(push('b'), false)).toBe('begins');
  });

  it('wait while nothing may begin', () => {
    const window = new PushWindow<Push>({ pushes: 2, bytes: 10 });
    expect(window.offer(push('a'), true)).toBe('waits');
    expect(window.offer(push('b'), false)).toBe('waits');
    expect([window.next()?.id, window.next()?.id]).toEqual(['a', 'b']);
  });

  it('each begin once, in the order in which they came, within the bounds, and none is forgotten', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ bytes: fc.integer({ min: 1, max: 60 }), hold: fc.boolean() }) },
      { weight: 2, arbitrary: fc.constant('end' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, pushes) => {
        const window = new PushWindow<Push>({ pushes, bytes: 100 });
        const begun: Push[] = [];
        const open: Push[] = [];
        const begin = (each: Push): void => {
          begun.push(each);
          open.push(each);
          const bytes = open.reduce((sum, one) => sum + one.bytes, 0);
          expect(open.length).toBeLessThanOrEqual(pushes);
          expect(open.length === 1 || bytes <= 100).toBe(true);
          expect(window.underWay).toBe(open.length);
        };
        const goOn = (): void => {
          for (let next = window.next(); next; next = window.next()) begin(next);
        };
        let offered = 0;
        for (const taken of steps) {
          if (taken === 'end') {
            const done = open.shift();
            if (done) window.end(done);
            goOn();
            continue;
          }
          const one = push((offered += 1), taken.bytes);
          if (window.offer(one, taken.hold) === 'begins') begin(one);
          // Nothing waits with room, unless it was held back.
          if (!taken.hold) goOn();
        }
        while (open.length > 0 || window.isHeldUp) {
          const done = open.shift();
          if (done) window.end(done);
          goOn();
        }
        expect(begun.map(({ id }) => id)).toEqual(Array.from({ length: offered }, (_, at) => at + 1));
      }),
      runs(400),
    );
  });
});
