import { driverAdvice, RECOMMENDED_DRIVER_TIMES } from './deployment';

describe('driverAdvice', () => {
  it('is silent about the recommended settings and quicker ones', () => {
    expect(driverAdvice(RECOMMENDED_DRIVER_TIMES, true)).toEqual([]);
    const quick = { heartbeatFrequencyMS: 500, connectTimeoutMS: 1, serverSelectionTimeoutMS: 1 };
    expect(driverAdvice(quick, true)).toEqual([]);
  });

  it('names only what is too slow, with the value to set', () => {
    const [advice] = driverAdvice({ ...RECOMMENDED_DRIVER_TIMES, connectTimeoutMS: 30_000 }, true);
    expect(advice).toContain('{ connectTimeoutMS: 3000 }');
  });

  it('takes zero and missing for endless', () => {
    expect(driverAdvice({ ...RECOMMENDED_DRIVER_TIMES, connectTimeoutMS: 0 }, true)[0]).toContain(
      'connectTimeoutMS',
    );
    expect(driverAdvice({}, true)[0]).toContain('heartbeatFrequencyMS: 1000, connectTimeoutMS: 3000');
  });

  it('says that a stream needs three connections, and nothing without a stream or a bound', () => {
    const pool = (maxPoolSize: number | undefined, hasStream = true): string[] =>
      driverAdvice({ ...RECOMMENDED_DRIVER_TIMES, maxPoolSize }, hasStream);
    for (const size of [1, 2]) expect(pool(size)).toEqual([expect.stringContaining('maxPoolSize: 3')]);
    for (const size of [0, 3, 100, undefined]) expect(pool(size)).toEqual([]);
    expect(pool(1, false)).toEqual([]);
  });

  it('says what a strict stable API costs', () => {
    const api = (strict?: boolean): string[] =>
      driverAdvice({ ...RECOMMENDED_DRIVER_TIMES, serverApi: { strict } }, false);
    expect(api(true)).toEqual([expect.stringContaining("serverApi: { version: '1' }")]);
    expect([...api(false), ...api()]).toEqual([]);
  });
});
