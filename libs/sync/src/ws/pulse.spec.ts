import fc from 'fast-check';
import { runs } from '../../../../test/support/runs';
import { Beats, Pulse, type Pulsing } from './pulse';

describe('beats of many members by one clock', () => {
  it('come once an interval for each, whenever it joined and however late the clock is looked at', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 40 }),
        fc.array(fc.record({ pass: fc.integer({ min: 0, max: 60 }), join: fc.boolean() }), { maxLength: 60 }),
        (ticks, steps) => {
          const beats = new Beats(ticks);
          const members: { readonly phase: number; last: number; first: boolean }[] = [];
          let tick = 0;
          for (const { pass, join } of steps) {
            const before = tick;
            tick += pass;
            const due = beats.advance(tick);
            for (const member of members) {
              const beat = due(member.phase);
              // Due after at most an interval, looked at now.
              if (tick - member.last >= ticks) expect(beat).toBe(true);
              // A beat that comes late stands for the tick at which it was due.
              if (beat) {
                const since = before - ((before - member.phase + ticks) % ticks);
                const at = since + Math.max(1, Math.floor((tick - since) / ticks)) * ticks;
                if (member.first) expect(at - member.last).toBeGreaterThanOrEqual(Math.ceil(ticks / 2));
                member.last = at;
                member.first = false;
              }
            }
            if (join) members.push({ phase: beats.join(), last: tick, first: true });
          }
        },
      ),
      runs(1_000),
    );
  });

  it('are spread over half an interval for those that join together', () => {
    const beats = new Beats(20);
    const phases = Array.from({ length: 1_000 }, () => beats.join());
    const at = Array.from({ length: 21 }, (_, tick) => {
      const due = beats.advance(tick);
      return phases.filter((phase) => due(phase)).length;
    });
    expect(at.slice(0, 11).every((count) => count === 0)).toBe(true);
    expect(at.slice(11)).toEqual(Array<number>(10).fill(100));
  });
});

describe('the pulse of a process', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it('notices at most a quarter of a second late that credentials have run out', () => {
    const ended: string[] = [];
    const member = (name: string, endsAt: number): Pulsing => ({
      phase: 0,
      endsAt,
      beat: () => undefined,
      ended: () => void ended.push(name),
    });
    const now = Date.now();
    const members = new Set([
      member('soon', now + 1_000),
      member('later', now + 9_000),
      member('never', Infinity),
    ]);
    const pulse = new Pulse(members, 60_000);
    jest.advanceTimersByTime(999);
    expect(ended).toEqual([]);
    jest.advanceTimersByTime(251);
    expect(new Set(ended)).toEqual(new Set(['soon']));
    pulse.stop();
  });
});
