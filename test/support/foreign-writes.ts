import type { Types } from 'mongoose';
import { plainItem, rowsOf } from './captured-items';
import type { WritesApp } from './writes-app';

export const ROUNDS = 60;
const INSERTS = 4;

/**
 * Other code of the app: it inserts, updates and deletes, and tells after each round. What fails for the moment was perhaps
 * written: it goes on.
 *
 * @returns how many documents were surely made
 */
export async function foreignWrites(
  app: WritesApp,
  at: (round: number) => Promise<unknown>,
): Promise<number> {
  const rows = rowsOf(app);
  const ids: Types.ObjectId[] = [];
  const done = (work: Promise<unknown>): Promise<boolean> =>
    work.then(
      () => true,
      () => false,
    );
  let made = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const fresh = Array.from({ length: INSERTS }, (_, n) => plainItem(round * 10 + n));
    if (await done(rows.insertMany(fresh, { writeConcern: { w: 'majority' } }))) made += INSERTS;
    ids.push(...fresh.map(({ _id }) => _id));
    for (let n = 0; n < INSERTS; n++) {
      const _id = ids[(round * 7 + n * 13) % ids.length];
      const filter = { _id, _sync_deleted: { $ne: true } } as never;
      await done(rows.updateOne(filter, { $inc: { stock: 1000 } as never }));
    }
    if (round % 3 === 0) await done(rows.deleteOne({ _id: ids.shift(), _sync_deleted: { $ne: true } }));
    await at(round);
  }
  return made;
}
