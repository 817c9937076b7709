import fc from 'fast-check';
import { formatHlc } from 'nest-offline-sync-protocol';
import type { DeviceRecord, DeviceScope } from '../register/records';
import { deviceRow } from './device-row';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 5, 1);
const version = (seq: number) => formatHlc({ ms: NOW - 1_000_000 + seq * 1_000, counter: 0, node: 'n' });
const head = { version: version(10), seq: 10, floor: version(4), floorSeq: 4 };

function judged(scope: Partial<DeviceScope>, { logDays = 30, silentDays = 0 } = {}) {
  const at = new Date(NOW - silentDays * DAY);
  const record: DeviceRecord = {
    _id: { scope: 's', actor: 'ann', client: 'phone' },
    ...{ at, firstAt: at, scopes: { cw: { scope: 's', at, ...scope } } },
  };
  return deviceRow(record, { heads: new Map([['s', head]]), now: NOW, logDays });
}
const scopeOf = (...given: Parameters<typeof judged>) => judged(...given).scopes[0];

describe('a device', () => {
  it.each<[string, Partial<DeviceScope>, object]>([
    ['that has all', { seq: 10, version: version(10) }, { behind: 0, behind_ms: 0, will_reload: false }],
    ['that lacks some', { seq: 7, version: version(7) }, { behind: 3, behind_ms: 3_000, will_reload: false }],
    ['at the floor', { seq: 4, version: version(4) }, { behind: 6, will_reload: false }],
    ['below the floor', { seq: 3, version: version(3) }, { behind: 7, will_reload: true }],
    [
      'at the beginning of a log that was trimmed',
      { version: '19700101T000000.000Z-0000' },
      { will_reload: true },
    ],
    [
      'of which only a version is known',
      { version: version(7) },
      { behind: null, behind_ms: 3_000, will_reload: false },
    ],
    ['that has only pushed', {}, { behind: null, behind_ms: null, will_reload: null }],
  ])('%s is judged by its position', (_, scope, expected) => {
    expect(scopeOf(scope)).toMatchObject(expected);
  });

  it('that was silent for longer than the log is kept will reload, unless it has all', () => {
    expect(judged({ seq: 7 }, { silentDays: 31 })).toMatchObject({ will_reload: true });
    expect(judged({}, { silentDays: 31 })).toMatchObject({ will_reload: true });
    expect(judged({ seq: 10 }, { silentDays: 31 })).toMatchObject({ will_reload: false });
    expect(judged({ seq: 7 }, { silentDays: 31, logDays: 0 })).toMatchObject({ will_reload: false });
  });

  it('is never behind by less than nothing, and reloads below the floor however it tells its position', () => {
    fc.assert(
      fc.property(fc.nat(20), fc.boolean(), fc.boolean(), (seq, tellsSeq, tellsVersion) => {
        const scope = { ...(tellsSeq ? { seq } : {}), ...(tellsVersion ? { version: version(seq) } : {}) };
        const row = scopeOf(scope);
        if (row?.behind !== null) expect(row?.behind).toBe(Math.max(0, 10 - seq));
        if (row?.behind_ms !== null) expect(row?.behind_ms).toBe(Math.max(0, 10 - seq) * 1_000);
        expect(row?.will_reload).toBe(tellsSeq || tellsVersion ? seq < 4 : null);
      }),
    );
  });
});
