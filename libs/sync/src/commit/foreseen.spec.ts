import { foreseeDuplicates, type Occupancy } from './foreseen';
import type { PlannedWrite } from '../plan/plan';

const VALUE = 'v';
const write = (change: number, key: string, ...values: string[]): PlannedWrite => ({
  scopeId: 's',
  collection: 'c',
  key,
  kind: 'insert',
  expectedVersion: undefined,
  expectedScope: 's',
  document: { _id: key, [VALUE]: values },
  chars: 10,
  writer: { request: 0, change },
});
const holding = (holders: Record<string, string>): Occupancy => ({
  keysOf: (document) => document[VALUE] as string[],
  holders: new Map(Object.entries(holders)),
});
const refused = (
  writes: readonly PlannedWrite[],
  holders: Record<string, string> = {},
  earlier: Record<string, PlannedWrite[]> = {},
): number[] =>
  foreseeDuplicates(writes, new Map(Object.entries(earlier)), [holding(holders)]).map(({ change }) => change);

describe('a value that must be unique', () => {
  it('is taken by a stored document, and by the first of the push that asks for it', () => {
    expect(refused([write(0, 'a', 'S'), write(1, 'b', 'T'), write(2, 'c', 'T')], { S: 'old' })).toEqual([
      0, 2,
    ]);
  });

  it('is free again once its holder has given it up, and not before', () => {
    const giving = (change: number) => write(change, 'old');
    expect(refused([giving(0), write(1, 'a', 'S')], { S: 'old' })).toEqual([]);
    expect(refused([write(0, 'a', 'S'), giving(1)], { S: 'old' })).toEqual([0]);
  });

  it('does not change hands in a swap, as it would not one after the other', () => {
    expect(refused([write(0, 'x', 'T'), write(1, 'y', 'S')], { S: 'x', T: 'y' })).toEqual([0, 1]);
  });

  it('is not taken by a document that is refused itself, nor by the document that has it', () => {
    expect(refused([write(0, 'a', 'S', 'U'), write(1, 'b', 'U')], { S: 'old' })).toEqual([0]);
    expect(refused([write(0, 'old', 'S', 'U')], { S: 'old' })).toEqual([]);
  });

  it('refuses what earlier changes made of the document too, as far back as it was taken then', () => {
    const earlier = { a: [write(0, 'a', 'free'), write(1, 'a', 'S'), write(2, 'a', 'S')] };
    expect(refused([write(3, 'a', 'S')], { S: 'old' }, earlier)).toEqual([3, 2, 1]);
    // Taken by the push itself, after that change: the next look tells.
    expect(refused([write(2, 'b', 'S'), write(3, 'a', 'S')], {}, { a: [write(1, 'a', 'S')] })).toEqual([3]);
    // By a document that the push writes, who knows what it had before.
    expect(
      refused([write(1, 'old', 'S'), write(3, 'a', 'S')], { S: 'old' }, { a: [write(0, 'a', 'S')] }),
    ).toEqual([3]);
  });
});
