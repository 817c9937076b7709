import type { Party } from './party';
import { PullReader } from './pull-reader';
import type { Reader } from './reader';
import { StreamReader } from './stream-reader';

/** The devices that read while others write, of different habits. */
export function readersOf(party: Party): Reader[] {
  const { settings } = party;
  const subset = subsetOf(party);
  return [
    ...each(settings.pullers, (index) => {
      const name = `${party.label}-pull-${String(index)}`;
      // In turn: one that tails, one that comes back to where it knows a full resync from, one that sleeps long.
      const habit = [
        { collections: null, limit: 300, sleepMs: 30, full: false },
        { collections: null, limit: 100, sleepMs: 200, full: true },
        { collections: subset, limit: 500, sleepMs: 4000, full: false },
      ][index % 3];
      return habit && new PullReader(name, party, habit);
    }),
    ...each(settings.listeners, (index) =>
      streamReader(party, `stay-${String(index)}`, index % 2 === 1 ? subset : null, 'stay'),
    ),
    ...each(settings.briefListeners, (index) =>
      streamReader(party, `brief-${String(index)}`, index % 3 === 2 ? subset : null, 'brief'),
    ),
    ...each(settings.stalledSockets, (index) => streamReader(party, `stall-${String(index)}`, null, 'stall')),
  ];
}

/** Of the other tenant, and in another scope: one that pulls, and one of each on the stream. */
export function fewReaders(party: Party): Reader[] {
  return [
    new PullReader(`${party.label}-pull-0`, party, {
      collections: null,
      limit: 300,
      sleepMs: 60,
      full: false,
    }),
    streamReader(party, 'stay-0', null, 'stay'),
    streamReader(party, 'brief-0', null, 'brief'),
  ];
}

/** All but the first collection, where there are several. */
function subsetOf({ names }: Party): readonly string[] | null {
  return names.length > 1 ? names.slice(1) : names;
}

function streamReader(
  party: Party,
  name: string,
  collections: readonly string[] | null,
  kind: 'stay' | 'brief' | 'stall',
): StreamReader {
  return new StreamReader(`${party.label}-stream-${name}`, party, { collections, kind });
}

function each(count: number, make: (index: number) => Reader | undefined): Reader[] {
  return Array.from({ length: count }, (_, index) => make(index)).filter((reader) => reader !== undefined);
}
