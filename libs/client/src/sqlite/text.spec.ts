import * as fc from 'fast-check';
import '../../../../test/support/runs.ts';
import { safeText } from './text.ts';

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc
    .array(
      fc.constantFrom(
        '\0',
        '\u0001',
        '\u0002',
        '\ud800',
        '\udfff',
        '\ud83d\ude00',
        '\ue000',
        '\uf000',
        'a',
        '\uffff',
      ),
    )
    .map((parts) => parts.join('')),
);

/** By code points; half a pair stands where its number does. */
function compare(a: string, b: string): number {
  const [left, right] = [Array.from(a), Array.from(b)];
  for (const [at, character] of left.entries()) {
    const other = right[at]?.codePointAt(0);
    if (other === undefined) return 1;
    const difference = character.codePointAt(0)! - other;
    if (difference !== 0) return Math.sign(difference);
  }
  return left.length < right.length ? -1 : 0;
}

it('is what UTF-8 can hold, has no NUL, and keeps the order of code points', () => {
  fc.assert(
    fc.property(text, text, (a, b) => {
      const [left, right] = [safeText(a), safeText(b)];
      expect(Buffer.from(left, 'utf8').toString('utf8')).toBe(left);
      expect(left).not.toContain('\0');
      const order = Math.sign(Buffer.compare(Buffer.from(left), Buffer.from(right)));
      expect(order).toBe(compare(a, b));
    }),
  );
});
