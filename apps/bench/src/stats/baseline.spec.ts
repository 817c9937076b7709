import type { Target } from '../model';
import { compareRuns } from './baseline';
import { rates } from './results.fixture';

const AT_LEAST: Target = { figure: 'rate', against: ['bare'], bound: { least: 0.5 } };
const run = (ratios: readonly number[], machine = 1000) =>
  rates(
    ratios.map((ratio) => ({ bare: machine, 'ours-1': machine * ratio })),
    [AT_LEAST],
  );
const worse = (before: readonly number[], now: readonly number[], machine?: number): boolean =>
  compareRuns([run(before)], [run(now, machine)]).some((change) => change.worse);

describe('compareRuns', () => {
  it('compares ratios: a machine that is half as fast is no regression', () => {
    expect(worse([0.8, 0.82], [0.8, 0.81], 500)).toBe(false);
  });

  it('calls worse what is below the whole spread of before', () => {
    expect(worse([0.8, 0.85], [0.6, 0.7])).toBe(true);
    expect(worse([0.7, 0.85], [0.6, 0.72])).toBe(false);
    expect(worse([0.8, 0.85], [0.9, 0.95])).toBe(false);
  });

  it('takes a few percent for none: one round has no spread', () => {
    expect(worse([0.8], [0.79])).toBe(false);
    expect(worse([0.8], [0.7])).toBe(true);
  });

  it('knows for which figures less is better', () => {
    const memory = (bytes: number) =>
      rates(
        [{ 'ours-1': bytes }],
        [{ figure: 'bytes', bound: { most: 16_000 } }],
        [{ name: 'bytes', label: 'RSS', unit: 'bytes' }],
      );
    expect(compareRuns([memory(8000)], [memory(12_000)])[0]?.worse).toBe(true);
    expect(compareRuns([memory(8000)], [memory(4000)])[0]?.worse).toBe(false);
  });

  it('does not compare rates and times of different machines, nor the jumps of the original', () => {
    const alone = rates(
      [{ 'ours-1': 5, original: 1 }],
      [
        { figure: 'rate', bound: { least: 1 } },
        { figure: 'rate', against: ['original'], bound: { least: 1 } },
      ],
    );
    expect(compareRuns([alone], [alone])).toEqual([]);
  });

  it('leaves out rows that the baseline does not have', () => {
    expect(compareRuns([], [run([0.1])])).toEqual([]);
  });
});
