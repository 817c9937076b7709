import { driverAdvice, RECOMMENDED_DRIVER_TIMES } from './driver-advice';

describe('driverAdvice', () => {
  it('is silent about the recommended settings and quicker ones', () => {
    expect(driverAdvice(RECOMMENDED_DRIVER_TIMES)).toBeUndefined();
    expect(
      driverAdvice({ heartbeatFrequencyMS: 500, connectTimeoutMS: 1, serverSelectionTimeoutMS: 1 }),
    ).toBeUndefined();
  });

  it('names only what is too slow, with the value to set', () => {
    const advice = driverAdvice({ ...RECOMMENDED_DRIVER_TIMES, connectTimeoutMS: 30_000 });
    expect(advice).toContain('{ connectTimeoutMS: 3000 }');
  });

  it('takes zero and missing for endless', () => {
    expect(driverAdvice({ ...RECOMMENDED_DRIVER_TIMES, connectTimeoutMS: 0 })).toContain('connectTimeoutMS');
    expect(driverAdvice({})).toContain('heartbeatFrequencyMS: 1000, connectTimeoutMS: 3000');
  });
});
