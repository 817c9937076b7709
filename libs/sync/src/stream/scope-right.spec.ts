import * as fc from 'fast-check';
import '../../../../test/support/runs';
import { ScopeRight } from './scope-right';

const RULES = { intervalMs: 100, pauseMs: 10, tries: 3 };
const asked = (right: ScopeRight, may: boolean, at: number): void => {
  right.ask(at);
  right.answered(may, at);
};

describe('the right to a scope', () => {
  it('is held until the app has said yes, and then for an interval', () => {
    const right = new ScopeRight(RULES, 0);
    expect([right.state, right.isDue(0)]).toEqual(['held', true]);
    right.ask(0);
    expect(right.isDue(5)).toBe(false);
    right.answered(true, 5);
    expect([right.state, right.isDue(99), right.isDue(100)]).toEqual(['open', false, true]);
    right.ask(100);
    expect(right.state).toBe('open');
    right.answered(false, 105);
    expect(right.state).toBe('lost');
  });

  it('is held from a change on, until the app has answered a question that was asked after it', () => {
    const right = new ScopeRight(RULES, 0);
    asked(right, true, 0);
    right.ask(50);
    right.changed(60);
    expect([right.state, right.isDue(60)]).toEqual(['held', false]);
    right.answered(true, 61);
    expect([right.state, right.isDue(61)]).toEqual(['held', true]);
    asked(right, true, 61);
    expect(right.state).toBe('open');
  });

  it('is not lost by an answer of before a change', () => {
    const right = new ScopeRight(RULES, 0);
    right.ask(0);
    right.changed(1);
    right.answered(false, 2);
    expect([right.state, right.isDue(2)]).toEqual(['held', true]);
  });

  it('is asked about again, and stays, when something may have been missed', () => {
    const right = new ScopeRight(RULES, 0);
    asked(right, true, 0);
    right.expire(20);
    expect([right.state, right.isDue(20)]).toEqual(['open', true]);
    right.ask(20);
    right.expire(21);
    right.answered(true, 22);
    expect([right.state, right.isDue(22)]).toEqual(['open', true]);
  });

  it('is held while nobody can answer, and fails after some tries in a row', () => {
    const right = new ScopeRight(RULES, 0);
    asked(right, true, 0);
    for (const at of [100, 110]) {
      right.ask(at);
      right.failed(new Error('away'), at);
      expect([right.state, right.isDue(at + 9), right.isDue(at + 10)]).toEqual(['held', false, true]);
    }
    asked(right, true, 120);
    expect(right.state).toBe('open');
    for (const at of [220, 230, 240]) {
      right.ask(at);
      right.failed('away', at);
    }
    expect([right.state, right.failure, right.isDue(10_000)]).toEqual(['failed', 'away', false]);
  });

  it('is held when a question stays without an answer for two intervals', () => {
    const right = new ScopeRight(RULES, 0);
    asked(right, true, 0);
    right.ask(100);
    expect([right.isDue(199), right.state]).toEqual([false, 'open']);
    expect([right.isDue(200), right.state]).toEqual([false, 'held']);
    right.answered(true, 250);
    expect(right.state).toBe('open');
  });

  it('is open only while a yes holds that was asked for after the last change, and lost for good', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(150) }),
      fc.record({
        kind: fc.constantFrom('tick' as const, 'change' as const, 'expire' as const, 'fail' as const),
      }),
      fc.record({ kind: fc.constant('answer' as const), may: fc.boolean() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const right = new ScopeRight(RULES, 0);
        let now = 0;
        /** The shell's question under way: when it was asked. */
        let asking: number | undefined;
        let lastYesAskedAt = -Infinity;
        let lastChange = -Infinity;
        let ended = false;
        for (const it of steps) {
          if (it.kind === 'wait') now += it.ms;
          if (it.kind === 'change') {
            // Time goes on between any two events.
            now += 1;
            lastChange = now;
            right.changed(now);
          }
          if (it.kind === 'expire') right.expire(now);
          if (it.kind === 'tick' && right.isDue(now)) {
            now += 1;
            asking = now;
            right.ask(now);
          }
          if (it.kind === 'answer' && asking !== undefined) {
            if (it.may) lastYesAskedAt = asking;
            asking = undefined;
            right.answered(it.may, now);
          }
          if (it.kind === 'fail' && asking !== undefined) {
            asking = undefined;
            right.failed('away', now);
          }
          right.isDue(now);
          if (ended) expect(['lost', 'failed']).toContain(right.state);
          ended = right.state === 'lost' || right.state === 'failed';
          if (right.state !== 'open') continue;
          expect(lastYesAskedAt).toBeGreaterThan(lastChange);
          expect(now - lastYesAskedAt).toBeLessThan(2 * RULES.intervalMs);
        }
      }),
    );
  });
});
