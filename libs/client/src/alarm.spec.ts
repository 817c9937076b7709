import { Alarm } from './alarm.ts';
import { VirtualTime } from './testing/virtual-time.ts';

const HOUR = 3_600_000;

describe('a sleep', () => {
  let time: VirtualTime;
  let skewMs: number;
  let alarm: Alarm;
  let hasEnded: boolean;

  beforeEach(() => {
    time = new VirtualTime();
    skewMs = 0;
    hasEnded = false;
    alarm = new Alarm({ now: () => time.now + skewMs, timer: (ms, call) => time.timer(ms, call) });
  });
  const sleep = (ms: number): void =>
    void alarm.sleep(time.now + skewMs + ms).then(() => {
      hasEnded = true;
    });

  it('lasts as long as it should, also for hours', async () => {
    sleep(3 * HOUR);
    await time.pass(3 * HOUR - 1);
    expect(hasEnded).toBe(false);
    await time.pass(1);
    expect(hasEnded).toBe(true);
  });

  it('is no longer when the clock is set back', async () => {
    sleep(HOUR);
    await time.pass(HOUR / 2);
    skewMs = -20 * HOUR;
    await time.pass(HOUR / 2);
    expect(hasEnded).toBe(true);
  });

  it('ends within ten minutes after a device has slept through its end', async () => {
    sleep(5 * HOUR);
    await time.pass(1);
    skewMs = 6 * HOUR;
    await time.pass(600_000);
    expect(hasEnded).toBe(true);
  });

  it('ends when it rings, and at once if it rang before', async () => {
    sleep(Infinity);
    await time.pass(HOUR);
    expect(hasEnded).toBe(false);
    alarm.ring();
    await time.pass(0);
    expect(hasEnded).toBe(true);
  });
});
