import { firstValueFrom, take, toArray } from 'rxjs';
import { Value } from '../observable.ts';
import { stream } from './index.ts';

describe('a stream of RxJS', () => {
  it('says what is so to each subscriber, then each change, and lets go in the end', async () => {
    const value = new Value(1);
    const all = firstValueFrom(stream(value).pipe(take(3), toArray()));
    value.set(2);
    const later = firstValueFrom(stream(value));
    value.set(3);
    expect(await all).toEqual([1, 2, 3]);
    expect(await later).toBe(2);
    expect(value.isWatched).toBe(false);
  });
});
