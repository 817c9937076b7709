import type { mongo } from 'mongoose';
import type { PlannedWrite } from '../plan/plan';
import { inPieces } from './write-commands';

/** How a collection or an index compares texts; undefined: as they are. */
export type Collation = object | undefined;

/**
 * Those of some documents, stored nowhere yet, that match a filter: the server says so itself.
 *
 * @returns undefined when it cannot: it is too old, its API is restricted, or an expression fails on one of them
 */
export async function matching(
  db: mongo.Db,
  writes: readonly PlannedWrite[],
  filter: object,
  collation: Collation,
): Promise<PlannedWrite[] | undefined> {
  const found: PlannedWrite[] = [];
  for (const { start, end } of inPieces(writes.length, (at) => writes[at]?.chars ?? 0)) {
    const documents = writes.slice(start, end).map(({ document }, at) => ({ at: start + at, document }));
    // The filter sees the document itself; its place comes back in a field that no document has.
    const stages = [
      { $replaceWith: { $mergeObjects: ['$document', { [PLACE]: '$at' }] } },
      { $match: filter },
      { $project: { _id: 0, [PLACE]: 1 } },
    ];
    const rows = await run(db, documents, stages, collation);
    if (!rows) return undefined;
    for (const row of rows) found.push(writes[Number(row[PLACE])] as PlannedWrite);
  }
  return found;
}

const PLACE = '_sync_place';

/** One text for all that a collation takes for the same, by each of the texts; undefined when the server cannot say. */
export async function sameTexts(
  db: mongo.Db,
  texts: Iterable<string>,
  collation: object,
): Promise<Map<string, string> | undefined> {
  const documents = Array.from(texts, (text) => ({ text }));
  const rows = await run(db, documents, [{ $group: { _id: '$text', all: { $push: '$text' } } }], collation);
  if (!rows) return undefined;
  const same = new Map<string, string>();
  for (const { _id, all } of rows) for (const text of all as string[]) same.set(text, String(_id));
  return same;
}

async function run(
  db: mongo.Db,
  documents: readonly object[],
  stages: readonly object[],
  collation: Collation,
): Promise<mongo.Document[] | undefined> {
  if (documents.length === 0) return [];
  const $documents = documents.map((document) => ({ $literal: document }));
  try {
    return await db
      .aggregate([{ $documents }, ...stages], {
        ignoreUndefined: true,
        ...(collation ? { collation: collation as mongo.CollationOptions } : {}),
      })
      .toArray();
  } catch {
    // What is not known beforehand, the database says when it is written.
    return undefined;
  }
}
