import type { mongo } from 'mongoose';
import { nothingToHeal, type Injector } from './injector';

/** The cursors of all servers' change streams are killed, as an operator might do. */
export const cursorsKilled: Injector = async ({ trio }) => {
  const primary = await trio.primary();
  const rows = await primary.client
    .db('admin')
    .aggregate<{ ns: string; cursor: { cursorId: mongo.Long } }>([
      { $currentOp: { idleCursors: true, allUsers: true } },
      { $match: { 'cursor.tailable': true, ns: /^faults\./ } },
    ])
    .toArray();
  for (const { ns, cursor } of rows) {
    const [db = '', ...collection] = ns.split('.');
    await primary.client.db(db).command({ killCursors: collection.join('.'), cursors: [cursor.cursorId] });
  }
  if (rows.length === 0) throw new Error('No change stream has a cursor just now.');
  return nothingToHeal;
};
