import fc from 'fast-check';
import { parseHlc } from 'nest-offline-sync-protocol';
import '../../../../test/support/runs.ts';
import { waitFor } from './backoff.ts';
import { offsetOf, stampOf } from './clock.ts';
import { afterClose, failureOf, secondsUntil, type Failure } from './failure.ts';
import {
  afterFailure,
  afterSocketFailure,
  begunLoad,
  CALM,
  loadEnded,
  nextStep,
  pageLoaded,
} from './reader-state.ts';

const SERVER_NOW = Date.UTC(2026, 4, 2);
const minute = 60_000;
const backoff = { baseMs: 1_000, maxMs: minute };

describe('R6, the stamp of an edit', () => {
  const seen = fc.option(
    fc.integer({ min: -30, max: 0 }).map((at) => `${stamp(SERVER_NOW + at * minute)}-0007-s`),
  );

  it('is the server’s time of the edit, whatever the device’s clock says, and never before what was seen', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -1e7, max: 1e7 }),
        fc.integer({ min: -minute, max: 60 * minute }),
        seen,
        seen,
        (skew, age, saw, last) => {
          const deviceNow = SERVER_NOW + skew;
          const reading = { deviceNow, offset: -skew, last, node: 'me' };
          const made = stampOf({ editedAt: deviceNow - age, seen: saw }, reading);
          const { ms } = parseHlc(made)!;
          for (const floor of [saw, last]) if (floor !== null) expect(made > floor).toBe(true);
          expect(ms).toBeLessThanOrEqual(SERVER_NOW);
          if (saw === null && last === null) expect(ms).toBe(SERVER_NOW - Math.max(0, age));
        },
      ),
    );
  });

  it('has half of the way as the way back', () => {
    expect(offsetOf('2026-05-02T00:00:01.000Z', SERVER_NOW - 100, SERVER_NOW + 100)).toBe(1_000);
    expect(offsetOf('soon', 0, 0)).toBeUndefined();
  });
});

function stamp(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]/g, '');
}

it('waits longer with each failure, up to a minute, never nothing, and as long as the server asks for', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.nat(),
      (failures, chance, asked) => {
        const ms = waitFor(failures, chance, asked, backoff);
        expect(ms).toBeGreaterThanOrEqual(Math.max(asked, 100));
        expect(ms).toBeLessThanOrEqual(Math.max(asked, backoff.maxMs));
      },
    ),
  );
});

describe('the reader', () => {
  const at = { now: 0, chance: 0.5, hasSocket: true, backoff };
  const load = begunLoad({ generation: 1, isComplete: true, cursor: 'c' });
  const page = { lastSeq: 'l', next: 'p', rows: 2, of: 4, collections: ['c'] };

  it('gives its cursor up as a load begins, and has one again when that is whole', () => {
    expect(load).toEqual({ generation: 2, isComplete: true, load: { isSweeping: false, rows: 0 } });
    const first = pageLoaded(load, page);
    expect(first.load).toMatchObject({ lastSeq: 'l', page: 'p', isSweeping: false, rows: 2, of: 4 });
    const part = pageLoaded(first, { lastSeq: 'other', rows: 1 });
    expect(part.load).toMatchObject({ lastSeq: 'l', page: 'p', isSweeping: false, rows: 2, partRows: 1 });
    const last = pageLoaded(part, { ...page, lastSeq: 'other', next: null });
    expect(last.load).toMatchObject({ lastSeq: 'l', isSweeping: true, rows: 4 });
    expect(loadEnded(last, ['c'])).toEqual({ generation: 2, isComplete: true, covered: ['c'], cursor: 'l' });
  });

  it.each([
    ['nothing', { generation: 0, isComplete: false }, false, 'loading'],
    ['a load', load, true, 'loading'],
    ['all pages', pageLoaded(load, { ...page, next: null }), true, 'sweeping'],
    ['a cursor', { generation: 1, isComplete: true, cursor: 'c' }, false, 'catching-up'],
    ['everything', { generation: 1, isComplete: true, cursor: 'c' }, true, 'live'],
  ] as const)('goes on from %s', (_, position, isCaughtUp, phase) => {
    expect(nextStep(position, isCaughtUp, CALM, at).phase).toBe(phase);
  });

  it('asks now and then while a socket cannot be had, and tries that again', () => {
    let temper = CALM;
    for (let failure = 0; failure < 3; failure++) temper = afterSocketFailure(temper, at);
    const position = { generation: 1, isComplete: true, cursor: 'c' };
    expect(nextStep(position, true, temper, at)).toMatchObject({ phase: 'polling', until: 37_500 });
    expect(nextStep(position, true, temper, { ...at, now: temper.noSocketUntil }).phase).toBe('live');
  });

  it('has no state without an end', () => {
    for (const [status, code] of [
      [0, 'x'],
      [400, 'malformed_request'],
      [401, 'unauthenticated'],
      [403, 'forbidden'],
      [409, 'identity_changed'],
      [409, 'client_outdated'],
      [404, ''],
      [429, 'busy'],
      [500, 'internal'],
      [503, 'unavailable'],
      [200, 'storage_full'],
    ] as const) {
      const [state] = afterFailure(failureOf(status, { code }, NaN), CALM, at);
      expect('until' in state && state.until).toBeGreaterThan(0);
      expect('until' in state && state.until).toBeLessThanOrEqual(600_000);
    }
  });
});

describe('a failure', () => {
  const kind = (status: number, body: unknown): Failure['kind'] => failureOf(status, body, NaN).kind;

  it('is what its code says, and without one what its status says', () => {
    expect(kind(409, { code: 'identity_changed' })).toBe('identity');
    expect(kind(413, '<html>')).toBe('too-large');
    expect([502, 503, 504, 408, 425, 429, 404].map((status) => kind(status, undefined))).toEqual(
      Array(7).fill('transient'),
    );
    expect(kind(500, undefined)).toBe('internal');
    expect(failureOf(503, {}, 7).retryAfterMs).toBe(7_000);
  });

  it('waits as the server asks: seconds or a time, and a day at most', () => {
    const now = Date.UTC(2026, 0, 1, 12);
    const wait = (text: string | null, date: string | null = null): number =>
      failureOf(503, {}, secondsUntil(text, date, now)).retryAfterMs;
    expect(wait('1200')).toBe(1_200_000);
    expect(wait('Thu, 01 Jan 2026 12:20:00 GMT')).toBe(1_200_000);
    // By the server's own clock, where it tells the time.
    expect(wait('Thu, 01 Jan 2026 12:20:00 GMT', 'Thu, 01 Jan 2026 12:10:00 GMT')).toBe(600_000);
    expect(['Thu, 01 Jan 2026 11:00:00 GMT', '-5', 'soon', '', null].map((text) => wait(text))).toEqual(
      Array(5).fill(0),
    );
    expect(wait('99999999')).toBe(86_400_000);
  });

  it('of a socket says how to come back', () => {
    const codes = [1000, 1006, 1009, 1011, 1012, 1013, 4400, 4401, 4403, 4408, 4426, 4429];
    expect(codes.map(afterClose)).toEqual([
      'at-once',
      'backoff',
      'polling',
      'backoff',
      'soon',
      'backoff',
      'polling',
      'token',
      'forbidden',
      'backoff',
      'outdated',
      'backoff',
    ]);
  });
});
