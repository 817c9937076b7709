import { rates } from '../stats/results.fixture';
import { BEGIN, END, insertIntoPage } from './docs';
import { linesOf } from './lines';
import { table } from './table';

const result = rates(
  [
    { bare: 20_000, 'ours-1': 16_000, original: 300 },
    { bare: 10_000, 'ours-1': 7_000, original: 0 },
  ],
  [
    { figure: 'rate', against: ['bare'], bound: { least: 0.76 } },
    { figure: 'rate', against: ['original'], bound: { least: 40 } },
  ],
);

describe('linesOf', () => {
  it('shows medians, ratios with their spread, and whether targets are met', () => {
    const [line] = linesOf(result);
    expect(line).toMatchObject({
      title: 'a row',
      cells: { bare: '15,000/s', 'ours-1': '11,500/s', 'ours-2': '' },
      againstLimit: '0.75 (0.70-0.80) ≥ 0.76 ✗',
    });
    expect(line?.againstOriginal).toMatch(/∞.*≥ 40 ✓/);
  });

  it('shows the ratio to the bare driver also where nothing is targeted', () => {
    expect(linesOf({ ...result, targets: [] })[0]?.againstLimit).toBe('0.75 (0.70-0.80)');
  });
});

describe('table', () => {
  it('has no columns for what was not run', () => {
    expect(table([result])).not.toMatch(/echo|ours, 2/);
    expect(table([result]).split('\n')).toHaveLength(3);
  });
});

describe('insertIntoPage', () => {
  it('replaces what is between the markers, and nothing else', () => {
    expect(insertIntoPage(`a\n${BEGIN}\nold\n${END}\nb`, 'new')).toBe(`a\n${BEGIN}\n\nnew\n\n${END}\nb`);
    expect(() => insertIntoPage('a', 'new')).toThrow(/has no/);
  });
});
