import mongoose from 'mongoose';
import { globalIds } from '../codec/id-codec';
import type { SyncedCollection } from '../collections/collection';
import { resolveSettings } from '../options/settings';
import type { PlanRequest, RequestOutcome } from '../plan/plan';
import type { PushQueue } from '../push/queue';
import { Observation, type Sighting } from './observation';

interface Submitted {
  readonly request: PlanRequest;
  readonly bytes: number;
}

/** What a queue is asked for. The real one has its tests on a real database. */
async function submitted(sightings: readonly Sighting[]): Promise<readonly Submitted[]> {
  let asked: readonly Submitted[] = [];
  const queue: Pick<PushQueue, 'submitAll'> = {
    submitAll: (all) => {
      asked = all;
      return all.map(async ({ request }): Promise<RequestOutcome> => ({
        kind: 'decided',
        decisions: request.changes.map(() => ({}) as never),
      }));
    },
  };
  const observation = new Observation(queue as PushQueue, resolveSettings({ collections: [] }));
  await observation.record(sightings, 'app', () => true);
  return asked;
}

const notes = {
  name: 'notes',
  ids: globalIds('string', mongoose.mongo),
  livesIn: () => true,
} as unknown as SyncedCollection;

function seen(scopeId: string, id: number, bytes?: number): Sighting {
  const storedId = `n${id}`;
  return { scopeId, collection: notes, storedId, observed: {}, ...(bytes === undefined ? {} : { bytes }) };
}

const countOf = ({ request }: Submitted): number => request.changes.length;

describe('what is recorded of documents', () => {
  it('is asked for in small pieces of one scope, in their order, which the queue puts together', async () => {
    const all = Array.from({ length: 90 }, (_, id) => seen(id % 3 === 0 ? 'a' : 'b', id));
    const pieces = await submitted(all);
    expect(pieces.map((piece) => [piece.request.scopeId, countOf(piece)])).toEqual([
      ['a', 25],
      ['b', 25],
      ['b', 25],
      ['a', 5],
      ['b', 10],
    ]);
    const ids = pieces.flatMap(({ request: { scopeId, changes } }) =>
      scopeId === 'a' ? changes.map((change) => change.wireId) : [],
    );
    expect(ids).toEqual(all.filter(({ scopeId }) => scopeId === 'a').map(({ storedId }) => storedId));
  });

  it('counts as large as the documents are', async () => {
    const large = await submitted([1, 2, 3, 4, 5].map((id) => seen('a', id, 200 << 10)));
    expect(large.map((piece) => [countOf(piece), piece.bytes])).toEqual([
      [2, 400 << 10],
      [2, 400 << 10],
      [1, 200 << 10],
    ]);
    const largest = await submitted([seen('a', 1, 16 << 20), seen('a', 2, 16 << 20), seen('a', 3, 100)]);
    expect(largest.map((piece) => [countOf(piece), piece.bytes])).toEqual([
      [1, 16 << 20],
      [1, 16 << 20],
      [1, 100],
    ]);
  });
});
