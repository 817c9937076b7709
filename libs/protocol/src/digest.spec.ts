import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { DigestSum, digestText } from './digest.ts';

const sha256 = (text: string): Uint8Array => createHash('sha256').update(text).digest();
const sumOf = (texts: readonly string[]): DigestSum => {
  const sum = new DigestSum();
  for (const text of texts) sum.add(sha256(text));
  return sum;
};

describe('DigestSum', () => {
  it('gives what the example of docs/protocol.md shows', () => {
    const page = readFileSync(join(__dirname, '../../../docs/protocol.md'), 'utf8');
    const lines = [...page.matchAll(/^(\["notes".*\]|sum) +([0-9a-f]{32})$/gm)].map(([, what, hash]) => ({
      what: what ?? '',
      hash,
    }));
    expect(lines).toHaveLength(3);
    const texts = lines.slice(0, 2).map(({ what }) => what);
    for (const { what, hash } of lines.slice(0, 2)) {
      const [collection, docId, version] = JSON.parse(what) as [string, string, string];
      expect(digestText(collection, docId, version)).toBe(what);
      expect(sumOf([what]).part).toEqual({ count: 1, hash });
    }
    expect(sumOf(texts).part).toEqual({ count: 2, hash: lines[2]?.hash });
  });

  it('is zero for nothing, depends on no order, and takes back what was added', () => {
    const zero = { count: 0, hash: '0'.repeat(32) };
    expect(new DigestSum().part).toEqual(zero);
    fc.assert(
      fc.property(fc.array(fc.string()), fc.array(fc.string()), (some, others) => {
        const sum = sumOf([...some, ...others]);
        expect(sum.part).toEqual(sumOf([...others, ...some].reverse()).part);
        for (const text of some) sum.remove(sha256(text));
        expect(sum.part).toEqual(sumOf(others).part);
        for (const text of others) sum.remove(sha256(text));
        expect(sum.part).toEqual(zero);
      }),
    );
  });

  it('tells a document that is there twice from one that is not there', () => {
    expect(sumOf(['a', 'a']).part.hash).not.toBe(new DigestSum().part.hash);
  });
});
