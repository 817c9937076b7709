import fc from 'fast-check';
import '../../../test/support/runs';
import { isShortText, utf8Length } from './text.ts';

/** Any code units, half surrogate pairs among them. */
const units = fc
  .array(
    fc.oneof(
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0xd7f0, max: 0xe00f }),
      fc.integer({ min: 0, max: 0x90 }),
      fc.integer({ min: 0x7f0, max: 0x80f }),
    ),
    { maxLength: 40 },
  )
  .map((codes) => String.fromCharCode(...codes));

describe('utf8Length', () => {
  it('counts what an encoder writes, and knows half a surrogate pair', () => {
    fc.assert(
      fc.property(fc.oneof(units, fc.string({ unit: 'binary' })), (text) => {
        expect(utf8Length(text)).toBe(text.isWellFormed() ? Buffer.byteLength(text) : undefined);
      }),
    );
  });

  it.each([
    ['', 0],
    ['a', 1],
    ['\u007f\u0080', 3],
    ['\u07ff\u0800', 5],
    ['\ud7ff\ue000\uffff', 9],
    ['\u{10000}\u{10ffff}', 8],
    ['\ud800', undefined],
    ['\udc00\ud800', undefined],
    ['\ud800\ud800\udc00', undefined],
    ['\ud800x', undefined],
  ])('of %j is %j', (text, bytes) => {
    expect(utf8Length(text)).toBe(bytes);
  });
});

describe('isShortText', () => {
  it('is true up to the last byte, for text alone', () => {
    expect(['a', 'aaaa', 'üü', '😀'].map((text) => isShortText(text, 4))).toEqual([true, true, true, true]);
    expect(['', 'aaaaa', 'üüa', '😀a', 'a\0', '\ud800', 7, null].map((text) => isShortText(text, 4))).toEqual(
      Array(8).fill(false),
    );
  });
});
