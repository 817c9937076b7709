import type { Progress } from 'nest-offline-sync-conformance';
import { barText, ProgressBar, table } from './output';

describe('table', () => {
  it('lines up text to the left and numbers to the right', () => {
    expect(
      table(
        ['NAME', 'COUNT'],
        [
          ['a', 1],
          ['longer', 12345],
        ],
      ),
    ).toBe('NAME    COUNT\na           1\nlonger  12345\n');
  });

  it('shows the headings of an empty list', () => {
    expect(table(['A', 'B'], [])).toBe('A  B\n');
  });

  it('lets no control character of a scope reach the terminal', () => {
    expect(table(['S'], [['x\u001b[31m\ny']])).toBe('S\nx?[31m?y\n');
  });
});

const progress = (more: Partial<Progress>): Progress => ({
  ...{ phase: 'writing', elapsedMs: 0, pushes: 1, changes: 12, unanswered: 0, seen: 30, subscriptions: 4 },
  ...more,
});

describe('the progress of a run', () => {
  it('fills a bar with the time of the writing', () => {
    const filled = (elapsedMs: number) => (barText(progress({ elapsedMs }), 10).match(/#/g) ?? []).length;
    expect([filled(0), filled(5000), filled(10_000), filled(12_000)]).toEqual([0, 12, 24, 24]);
    expect(barText(progress({ unanswered: 3 }), 10)).toContain('3 unanswered');
  });

  it('writes one line again and again on a terminal, no wider than it', () => {
    let text = '';
    const bar = new ProgressBar({ out: () => undefined, err: (more) => (text += more), columns: 30 }, 10);
    bar.show(progress({ elapsedMs: 1000 }));
    bar.show(progress({ elapsedMs: 2000 }));
    bar.end();
    expect(text).not.toContain('\n');
    for (const line of text.split('\r\u001b[2K')) expect(line.length).toBeLessThan(30);
  });

  it('writes a line for each phase and every five seconds elsewhere', () => {
    const lines: string[] = [];
    const bar = new ProgressBar({ out: () => undefined, err: (line) => void lines.push(line) }, 10);
    bar.show(progress({ phase: 'starting' }));
    for (let elapsedMs = 0; elapsedMs <= 11_000; elapsedMs += 250) bar.show(progress({ elapsedMs }));
    bar.show(progress({ phase: 'settling', elapsedMs: 11_000 }));
    expect(lines).toHaveLength(5);
    expect(lines.join('')).not.toContain('\u001b');
  });
});
