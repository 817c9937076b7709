import { environment } from './environment.ts';
import { FencedError } from './errors.ts';
import { memory } from './memory.ts';
import { Replica } from './replica.ts';

it('lets only the newest leader write what the server says, and everybody what the user does', async () => {
  const storage = memory();
  const open = async () => Replica.open(await storage.open('one'), environment(), undefined);
  const [first, second] = [await open(), await open()];
  const learn = (by: Replica, version: string) =>
    by.write('leader', async (work) => {
      await work.learn('c', [{ id: 'd', version, data: { version }, generation: 1 }]);
    });
  await first.lead(false);
  await learn(first, 'v1');
  await second.lead(false);
  await expect(learn(first, 'v2')).rejects.toBeInstanceOf(FencedError);
  await learn(second, 'v3');
  expect(await first.look('c', ['d'])).toEqual([{ version: 'v3' }]);
  await expect(first.write('user', async () => 1)).resolves.toBe(1);
});
