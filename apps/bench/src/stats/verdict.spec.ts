import { rates } from './results.fixture';
import { BEYOND, judge, ratioOf } from './verdict';

describe('ratioOf', () => {
  it('compares within a round: a slow minute for both changes nothing', () => {
    const result = rates([
      { bare: 1000, 'ours-1': 800 },
      { bare: 100, 'ours-1': 80 },
      { bare: 500, 'ours-1': 450 },
    ]);
    expect(ratioOf(result, 'rate', ['bare'])).toEqual({ median: 0.8, min: 0.8, max: 0.9 });
  });

  it('takes the smaller of two limits, round by round', () => {
    const result = rates([
      { bare: 100, echo: 200, 'ours-1': 50 },
      { bare: 200, echo: 100, 'ours-1': 50 },
    ]);
    expect(ratioOf(result, 'rate', ['bare', 'echo'])?.median).toBe(0.5);
  });

  it('leaves out what was not run', () => {
    expect(ratioOf(rates([{ 'ours-1': 1 }]), 'rate', ['original'])).toBeUndefined();
  });

  it('beats a peer from which nothing came', () => {
    expect(ratioOf(rates([{ original: 0, 'ours-1': 1 }]), 'rate', ['original'])?.median).toBe(BEYOND);
  });
});

describe('judge', () => {
  it('bounds a ratio, or the figure itself', () => {
    const result = rates(
      [{ bare: 100, 'ours-1': 70 }],
      [
        { figure: 'rate', against: ['bare'], bound: { least: 0.75 } },
        { figure: 'rate', bound: { most: 70 } },
      ],
    );
    expect(judge(result).map(({ met }) => met)).toEqual([false, true]);
  });

  it('says nothing of a target whose variant was not run', () => {
    const [verdict] = judge(
      rates([{ 'ours-1': 1 }], [{ figure: 'rate', against: ['original'], bound: { least: 1 } }]),
    );
    expect(verdict?.met).toBeUndefined();
  });
});
