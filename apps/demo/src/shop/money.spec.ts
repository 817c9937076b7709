import { fromCents, toCents } from './money';

describe('amounts', () => {
  it.each(['0.00', '0.05', '18.50', '999999999999.99'])('%s survives the way to cents and back', (amount) => {
    expect(fromCents(toCents(amount))).toBe(amount);
  });

  it('are read as Decimal128 writes them', () => {
    expect([toCents('18.5'), toCents('18')]).toEqual([1850n, 1800n]);
  });
});
