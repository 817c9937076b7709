import { ASK_MS, askAfter, nextAsk } from './leadership.ts';

it('steals after ten seconds without an answer, and only where it is needed', () => {
  const asks: string[] = [];
  for (let unanswered = 0; unanswered < 5; unanswered++) asks.push(nextAsk(unanswered, true));
  expect(asks).toEqual(['ask', 'ask', 'ask', 'ask', 'steal']);
  expect(4 * ASK_MS).toBe(10_000);
  expect(nextAsk(9, false)).toBe('rest');
  expect(askAfter(0)).toBeLessThan(askAfter(0.9));
});
