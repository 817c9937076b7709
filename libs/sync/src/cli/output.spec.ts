import { table } from './output';

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
