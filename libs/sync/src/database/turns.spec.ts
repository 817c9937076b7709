import { Turns } from './turns';

describe('Turns', () => {
  it('lets so many run side by side, the others in the order in which they came', async () => {
    const turns = new Turns(2);
    const ends: (() => void)[] = [];
    const started: number[] = [];
    const works = [0, 1, 2, 3].map((work) =>
      turns.run(async () => {
        started.push(work);
        await new Promise<void>((resolve) => (ends[work] = resolve));
        return work;
      }),
    );
    expect(started).toEqual([0, 1]);
    ends[1]?.();
    expect(await works[1]).toBe(1);
    expect(started).toEqual([0, 1, 2]);
    ends[0]?.();
    await works[0];
    expect(started).toEqual([0, 1, 2, 3]);
    ends[2]?.();
    ends[3]?.();
    expect(await Promise.all(works)).toEqual([0, 1, 2, 3]);
  });

  it('gives the turn on when the work fails', async () => {
    const turns = new Turns(1);
    const failing = turns.run(() => Promise.reject(new Error('no')));
    const next = turns.run(() => Promise.resolve('yes'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
    expect(await turns.run(() => Promise.resolve('again'))).toBe('again');
  });
});
