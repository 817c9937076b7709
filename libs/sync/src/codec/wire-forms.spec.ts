import fc from 'fast-check';
import '../../../../test/support/runs';
import { isBase64Text, isDecimalText, isInt64Text, isIsoDateText } from './wire-forms';

describe('string forms of other types', () => {
  it.each([
    '2026-05-02T12:00:00.000Z',
    '2026-05-02T12:00:00.123456Z',
    '2026-05-02T12:00Z',
    '2026-05-02T12:00:00+05:30',
    '2024-02-29T00:00:00Z',
    '2000-02-29',
    '+010000-01-01T00:00:00.000Z',
  ])('%s is a date', (text) => {
    expect(isIsoDateText(text)).toBe(true);
  });

  it.each([
    '',
    '12',
    '2026',
    '2026-05',
    '2026-02-31',
    '2023-02-29T00:00:00Z',
    '1900-02-29',
    '2026-13-01',
    '2026-00-10',
    '2026-05-00',
    '2026-05-02T24:00:00Z',
    '2026-05-02T12:60:00Z',
    '2026-05-02T12:00:00',
    '2026-05-02 12:00:00Z',
    '2026-05-02T12:00:00Z ',
    '2026-05-02T12:00:00z',
    '2026-05-02T12:00:00+25:00',
    '-000000-01-01T00:00:00Z',
    'May 2, 2026',
    '20260502T120000.000Z',
  ])('%j is no date', (text) => {
    expect(isIsoDateText(text)).toBe(false);
  });

  it('knows whatever a Date writes', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), (date) => {
        expect(isIsoDateText(date.toISOString())).toBe(true);
      }),
    );
  });

  it('knows 64-bit integers in one form each', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        expect(isInt64Text(value.toString())).toBe(true);
      }),
    );
    for (const text of [
      '9223372036854775808',
      '-9223372036854775809',
      '007',
      '+5',
      '-0',
      '',
      '1.0',
      '0x10',
      '1e3',
      ' 1',
    ])
      expect(isInt64Text(text)).toBe(false);
  });

  it('knows what Decimal128 writes, and no other notation', () => {
    for (const text of ['0', '-0', '12.50', '.5', '5.', '1E+3', '1.5e-10', 'NaN', 'Infinity', '-Infinity'])
      expect(isDecimalText(text)).toBe(true);
    for (const text of ['', '.', 'nan', '+Infinity', '0x10', '1_000', '1,5', ' 1', 'e5', '1e'])
      expect(isDecimalText(text)).toBe(false);
  });

  it('knows base64 that comes back as it went', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(isBase64Text(Buffer.from(bytes).toString('base64'))).toBe(true);
      }),
    );
    for (const text of ['hello', 'aGk', 'a_-=', 'aGk=\n', 'aGl=', '===='])
      expect(isBase64Text(text)).toBe(false);
  });
});
