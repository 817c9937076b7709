import * as fc from 'fast-check';
import { runs } from '../../../test/support/runs';
import {
  compareHlc,
  formatHlc,
  isNodeId,
  isTooFarAhead,
  isZeroCursor,
  MAX_COUNTER,
  MAX_MS,
  parseHlc,
  receiveHlc,
  sendHlc,
  ZERO_HLC,
  ZERO_VERSION,
  type Hlc,
} from './hlc.ts';

const NODE_CHARACTERS = [...'ABCXYZabcxyz0123456789._-'];
const node = fc.string({ unit: fc.constantFrom(...NODE_CHARACTERS), minLength: 1, maxLength: 64 });
const hlc: fc.Arbitrary<Hlc> = fc.record({
  // Half of them close together, so that equal times and counters are met.
  ms: fc.oneof(
    fc.integer({ min: 0, max: MAX_MS }),
    fc.integer({ min: 1_770_000_000_000, max: 1_770_000_000_003 }),
  ),
  counter: fc.oneof(fc.integer({ min: 0, max: MAX_COUNTER }), fc.constantFrom(0, 1, MAX_COUNTER)),
  node: fc.oneof(fc.constant(''), node),
});
/** Wall clocks as machines have them: frozen, jumping back, leaping ahead. */
const walls = fc.array(
  fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 4_000_000_000_000 })),
  { minLength: 1, maxLength: 60 },
);

/** By code unit, as MongoDB and clients compare. */
function textOrder(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Order of UTF-8 bytes, as MongoDB's simple collation compares. */
function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

describe('the order of stamps', () => {
  it('is decided by the node last, and a stamp is equal to itself alone', () => {
    const [legacy, a, b] = ['', 'a', 'b'].map((id) => ({ ms: 5, counter: 1, node: id })) as [Hlc, Hlc, Hlc];
    const sorted = [legacy, a, b];
    for (const [at, one] of sorted.entries())
      for (const [other, two] of sorted.entries())
        expect(Math.sign(compareHlc(one, two))).toBe(Math.sign(at - other));
    expect(compareHlc({ ...b, counter: 0 }, a)).toBeLessThan(0);
    expect(compareHlc({ ...a, counter: 2 }, b)).toBeGreaterThan(0);
  });
});

describe('the stamps of one clock', () => {
  it('rise strictly under any wall clock, as values and as texts', () => {
    fc.assert(
      fc.property(hlc, walls, node, (start, times, id) => {
        fc.pre(start.ms < MAX_MS - 1000);
        let last = start;
        for (const wall of times) {
          const next = sendHlc(last, wall, id);
          expect(compareHlc(next, last)).toBeGreaterThan(0);
          expect(textOrder(formatHlc(next), formatHlc(last))).toBe(1);
          last = next;
        }
      }),
    );
  });

  it('follow a wall clock that is ahead and start its millisecond at counter zero', () => {
    expect(sendHlc({ ms: 10, counter: 7, node: 'a' }, 11, 'a')).toEqual({ ms: 11, counter: 0, node: 'a' });
  });

  it('move the millisecond on past counter 9999, with the width of the text kept', () => {
    const full: Hlc = { ms: 1000, counter: MAX_COUNTER, node: 'a' };
    const next = sendHlc(full, 0, 'a');
    expect(next).toEqual({ ms: 1001, counter: 0, node: 'a' });
    expect(formatHlc(next)).toHaveLength(formatHlc(full).length);
    expect(textOrder(formatHlc(next), formatHlc(full))).toBe(1);
  });

  it('stay strictly increasing over more than one overflow of a frozen clock', () => {
    let last: Hlc = { ms: 5, counter: 0, node: 'n' };
    for (let drawn = 0; drawn < 25_000; drawn++) {
      const next = sendHlc(last, 5, 'n');
      if (textOrder(formatHlc(next), formatHlc(last)) !== 1) throw new Error(formatHlc(next));
      last = next;
    }
    expect(last.ms).toBe(7);
  });

  it('end with an error, not with a fifth digit of year', () => {
    expect(() => sendHlc({ ms: MAX_MS, counter: MAX_COUNTER, node: 'a' }, 0, 'a')).toThrow(RangeError);
    expect(() => sendHlc(ZERO_HLC, MAX_MS + 1, 'a')).toThrow(RangeError);
    expect(() => sendHlc(ZERO_HLC, Infinity, 'a')).toThrow(RangeError);
  });
});

describe('a received stamp', () => {
  it('is below the next own one, and so is everything drawn before', () => {
    fc.assert(
      fc.property(hlc, hlc, fc.integer({ min: 0, max: MAX_MS }), node, (last, remote, wall, id) => {
        fc.pre(last.ms < MAX_MS && remote.ms < MAX_MS);
        const next = receiveHlc(last, remote, wall, id);
        expect(compareHlc(next, last)).toBeGreaterThan(0);
        expect(compareHlc(next, remote)).toBeGreaterThan(0);
        expect(next.node).toBe(id);
      }),
    );
  });

  it('carries the order of cause and effect through any exchange of messages', () => {
    const step = fc.record({
      from: fc.integer({ min: 0, max: 3 }),
      to: fc.integer({ min: 0, max: 3 }),
      wall: fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 0, max: 1_000_000 })),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        // Vector clocks say what is causal; the text order of the stamps must agree.
        const clocks = [0, 1, 2, 3].map((id) => ({
          last: { ...ZERO_HLC, node: `n-${id}` },
          seen: [0, 0, 0, 0],
        }));
        const events: { text: string; seen: number[] }[] = [];
        const happen = (at: number, stamp: Hlc): void => {
          const clock = clocks[at]!;
          clock.last = stamp;
          clock.seen = clock.seen.map((count, index) => (index === at ? count + 1 : count));
          events.push({ text: formatHlc(stamp), seen: clock.seen });
        };
        for (const { from, to, wall } of steps) {
          happen(from, sendHlc(clocks[from]!.last, wall, `n-${from}`));
          if (from === to) continue;
          const sender = clocks[from]!;
          const receiver = clocks[to]!;
          receiver.seen = receiver.seen.map((count, index) => Math.max(count, sender.seen[index]!));
          happen(to, receiveHlc(receiver.last, sender.last, wall >> 1, `n-${to}`));
        }
        for (const a of events)
          for (const b of events) {
            const before = a !== b && a.seen.every((count, index) => count <= b.seen[index]!);
            if (before) expect(textOrder(a.text, b.text)).toBe(-1);
          }
      }),
    );
  });
});

describe('the text form', () => {
  it('comes back as the same stamp, node ids with dashes and without included', () => {
    fc.assert(fc.property(hlc, (stamp) => expect(parseHlc(formatHlc(stamp))).toEqual(stamp)));
  });

  it('sorts exactly as compareHlc does', () => {
    fc.assert(
      fc.property(hlc, hlc, (a, b) => {
        expect(textOrder(formatHlc(a), formatHlc(b))).toBe(Math.sign(compareHlc(a, b)));
        expect(Math.sign(byteOrder(formatHlc(a), formatHlc(b)))).toBe(Math.sign(compareHlc(a, b)));
      }),
      runs(1000),
    );
  });

  it.each([
    ['20260502T120000.000Z-0001-a1b2', { ms: Date.UTC(2026, 4, 2, 12), counter: 1, node: 'a1b2' }],
    ['20260502T120000.000Z-0001', { ms: Date.UTC(2026, 4, 2, 12), counter: 1, node: '' }],
    [
      '20260502T120000.123Z-9999-web-7.eu_1',
      { ms: Date.UTC(2026, 4, 2, 12, 0, 0, 123), counter: 9999, node: 'web-7.eu_1' },
    ],
    ['20240229T235959.999Z-0000--', { ms: Date.UTC(2024, 1, 29, 23, 59, 59, 999), counter: 0, node: '-' }],
    ['99991231T235959.999Z-9999-z', { ms: MAX_MS, counter: 9999, node: 'z' }],
  ])('reads %s', (text, stamp) => {
    expect(parseHlc(text)).toEqual(stamp);
    expect(formatHlc(stamp)).toBe(text);
  });

  it.each([
    '',
    'garbage',
    '0',
    '00000502T120000.000Z-0001-a', // year 0000
    '19691231T235959.999Z-0001-a', // before 1970
    '20261302T120000.000Z-0001-a', // month 13
    '20260002T120000.000Z-0001-a', // month 0
    '20260231T120000.000Z-0001-a', // 31 February
    '20250229T120000.000Z-0001-a', // no leap year
    '20260500T120000.000Z-0001-a', // day 0
    '20260502T240000.000Z-0001-a',
    '20260502T126000.000Z-0001-a',
    '20260502T120060.000Z-0001-a',
    '20260502T120000Z-0001-a',
    '20260502T120000.00Z-0001-a',
    '20260502T120000.000Z-001-a',
    '20260502T120000.000Z-00001-a',
    '20260502T120000.000Z-10000-a',
    '20260502T120000.000Z--001-a',
    '20260502T120000.000Z-0001-',
    '20260502T120000.000Z-0001-a b',
    '20260502T120000.000Z-0001-ä',
    '20260502T120000.000Z-0001-a\n',
    ' 20260502T120000.000Z-0001-a',
    '20260502t120000.000z-0001-a',
    '2026-05-02T12:00:00.000Z-0001-a',
    '٢٠٢٦0502T120000.000Z-0001-a', // digits of another script
    `20260502T120000.000Z-0001-${'a'.repeat(65)}`,
    '20260502T120000.000Z-0001-a\0',
  ])('refuses %j', (text) => {
    expect(parseHlc(text)).toBeUndefined();
  });

  it('never throws, and takes nothing that it would write another way', () => {
    const digits = (length: number): fc.Arbitrary<string> =>
      fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: length, maxLength: length });
    const almost = fc
      .tuple(digits(8), digits(6), digits(3), digits(4), fc.string({ maxLength: 4 }))
      .map(([day, time, ms, counter, id]) => `${day}T${time}.${ms}Z-${counter}-${id}`);
    fc.assert(
      fc.property(fc.oneof(fc.string(), almost), (text) => {
        const stamp = parseHlc(text);
        if (stamp) expect(formatHlc(stamp)).toBe(text);
      }),
      runs(2000),
    );
  });
});

describe('node ids', () => {
  it('hold letters, digits, dots, underscores and dashes, 1 to 64', () => {
    for (const good of ['a', 'web-1', 'A.b_c-', 'x'.repeat(64)]) expect(isNodeId(good)).toBe(true);
    for (const bad of ['', 'x'.repeat(65), 'a b', 'ä', 'a/b', 'a\n', 'a:b'])
      expect(isNodeId(bad)).toBe(false);
  });
});

describe('the drift bound', () => {
  const at = (ms: number): Hlc => ({ ms, counter: 0, node: '' });

  it('counts from the wall clock or from the head, the later of the two', () => {
    expect(isTooFarAhead(at(61_000), 1_000, 0, 60_000)).toBe(false);
    expect(isTooFarAhead(at(61_001), 1_000, 0, 60_000)).toBe(true);
    expect(isTooFarAhead(at(61_001), 1_000, 1_001, 60_000)).toBe(false);
  });

  it('never refuses the past', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(), (wall, head, back) => {
        expect(isTooFarAhead(at(Math.max(0, wall - back)), wall, head, 0)).toBe(false);
      }),
    );
  });
});

describe('the zero cursor', () => {
  it('is below every stamp, and any stamp of its millisecond counts as it', () => {
    expect(ZERO_VERSION).toBe('19700101T000000.000Z-0000');
    expect(isZeroCursor(parseHlc('19700101T000000.000Z-0007-x')!)).toBe(true);
    expect(isZeroCursor(parseHlc('19700101T000000.001Z-0000')!)).toBe(false);
    fc.assert(fc.property(hlc, (stamp) => expect(compareHlc(ZERO_HLC, stamp)).toBeLessThanOrEqual(0)));
  });
});
