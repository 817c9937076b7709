import { SharedFrames } from './shared-frames';
import { textFrames } from './text-frames';

const message = (text: string): { readonly wire: Buffer } => ({ wire: Buffer.from(text) });

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
