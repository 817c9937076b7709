import { judgeHealth } from './health';

const well = { primary: true, changeStream: 'open', clockOffsetMs: 12, headAheadMs: 0 } as const;

describe('judgeHealth', () => {
  it('is up with a primary and an open stream, and warns of nothing', () => {
    expect(judgeHealth(well)).toEqual({ status: 'up', details: well });
  });

  it('is up while nobody has subscribed', () => {
    expect(judgeHealth({ ...well, changeStream: 'off' }).status).toBe('up');
  });

  it('is down without a primary and says why', () => {
    const { status, details } = judgeHealth({ primary: false, error: 'no answer' });
    expect([status, details.error]).toEqual(['down', 'no answer']);
  });

  it('is down while the change stream is lost', () => {
    const { status, details } = judgeHealth({ ...well, changeStream: 'lost' });
    expect([status, details.changeStream]).toEqual(['down', 'lost']);
    expect(details.error).toContain('change stream');
  });

  it.each([6_000, -6_000])('warns of a clock that is %d ms off, and stays up', (clockOffsetMs) => {
    const { status, details } = judgeHealth({ ...well, clockOffsetMs });
    expect(status).toBe('up');
    expect(details.warnings).toEqual([expect.stringContaining('6.0 s')]);
  });

  it('warns of a head that is ahead, and stays up', () => {
    const { status, details } = judgeHealth({ ...well, headAheadMs: 90_000 });
    expect(status).toBe('up');
    expect(details.warnings).toEqual([expect.stringContaining('90.0 s')]);
  });

  it('warns of capture that is behind, and stays up', () => {
    expect(judgeHealth({ ...well, captureBehindMs: 4_000 })).toMatchObject({
      details: { captureBehindMs: 4_000 },
    });
    expect(judgeHealth({ ...well, captureBehindMs: 4_000 }).details.warnings).toBeUndefined();
    const { status, details } = judgeHealth({ ...well, captureBehindMs: 90_000 });
    expect(status).toBe('up');
    expect(details.warnings).toEqual([expect.stringContaining('90.0 s')]);
  });

  it('leaves out what is not known', () => {
    const { details } = judgeHealth({ ...well, clockOffsetMs: undefined, headAheadMs: undefined });
    expect(details).toEqual({ primary: true, changeStream: 'open' });
  });
});
