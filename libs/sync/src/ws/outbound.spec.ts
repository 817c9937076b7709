import fc from 'fast-check';
import { runs } from '../../../../test/support/runs';
import { SharedFrames, textFrames } from './outbound';

/** Reads frames as RFC 6455 tells a client to. */
function read(frames: Buffer): string[] {
  const texts: string[] = [];
  let at = 0;
  while (at < frames.length) {
    expect(frames[at]).toBe(0x81);
    let length = frames[at + 1] ?? 0;
    let size = 2;
    if (length === 126) [length, size] = [frames.readUInt16BE(at + 2), 4];
    else if (length === 127) [length, size] = [Number(frames.readBigUInt64BE(at + 2)), 10];
    // The shortest form is the only valid one.
    expect(size).toBe(length < 126 ? 2 : length < 65_536 ? 4 : 10);
    texts.push(frames.toString('utf8', at + size, at + size + length));
    at += size + length;
  }
  expect(at).toBe(frames.length);
  return texts;
}

const message = (text: string): { readonly wire: Buffer } => ({ wire: Buffer.from(text) });

describe('ready frames', () => {
  it.each([0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20])('carry a message of %d bytes', (length) => {
    const text = 'x'.repeat(length);
    expect(read(textFrames([message('before'), message(text), message('behind')]))).toEqual([
      'before',
      text,
      'behind',
    ]);
  });

  it('carry any texts, one message each, in their order', () => {
    const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ minLength: 120, maxLength: 130 }));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 8 }), (texts) => {
        expect(read(textFrames(texts.map(message)))).toEqual(texts);
      }),
      runs(300),
    );
  });
});

describe('frames for many sockets', () => {
  const [a, b, c] = [message('a'), message('b'), message('c')] as const;
  let afterTurn: (() => void)[];
  let frames: SharedFrames;

  beforeEach(() => {
    afterTurn = [];
    frames = new SharedFrames((task) => afterTurn.push(task));
  });

  it('are made once for all that get the same entries, also when others get a selection of them', () => {
    const all = frames.of([a, b, c]);
    const some = frames.of([a, c]);
    expect(all).toEqual(textFrames([a, b, c]));
    expect(some).toEqual(textFrames([a, c]));
    expect(frames.of([a, b, c])).toBe(all);
    expect(frames.of([a, c])).toBe(some);
  });

  it('are those of the entries asked for, however alike another run is', () => {
    frames.of([a, b, c]);
    frames.of([message('a')]);
    expect(frames.of([a, c, b])).toEqual(textFrames([a, c, b]));
    expect(frames.of([a, b])).toEqual(textFrames([a, b]));
    expect(frames.of([])).toHaveLength(0);
  });

  it('are not held when the turn is over, and only so many before', () => {
    const first = frames.of([a]);
    for (let i = 0; i < 8; i += 1) frames.of([message('x')]);
    expect(frames.of([a])).not.toBe(first);
    expect(afterTurn).toHaveLength(1);
    const second = frames.of([a]);
    expect(frames.of([a])).toBe(second);
    afterTurn[0]?.();
    expect(frames.of([a])).not.toBe(second);
    expect(afterTurn).toHaveLength(2);
  });
});
