import type { Case, Kind } from '../case';
import { each, push, stampIn } from './changes';
import { buried, first, overtaken } from './seeds';

function patch(collection: string, more: object): object {
  return { collection, operation: 'patch', doc_id: 'd', mutation_id: 'm', ...more };
}

/** Of the first version, which somebody else has edited since: `shared` is what both set. */
function late(on: Case, collection: string, more: object = {}): object {
  const data = { shared: 'mine', mine: 1 };
  return patch(collection, { data, inc: { n: 1 }, parent_version: on.versions['d'], ...more });
}

export const PATCHES: readonly Kind[] = [
  {
    name: 'patch',
    seed: (on) => first(on, 'last', { first: 1, old: 1, deep: { kept: 1 } }),
    pushes: (on) => [
      push([patch('last', { data: { 'deep.new': 1 }, unset: ['old'], parent_version: on.versions['d'] })]),
    ],
  },
  {
    name: 'patch that counts, and a list taken as a set',
    seed: (on) => overtaken(on, 'stale'),
    pushes: (on) => [
      push([
        patch('stale', { inc: { n: 1 }, add: { list: ['x'] }, parent_version: on.versions['d'] }),
        patch('stale', { inc: { n: 1 }, remove: { list: ['x'] }, mutation_id: 'n' }),
      ]),
    ],
  },
  {
    name: 'patch that is newer, field by field',
    seed: (on) => overtaken(on, 'merge'),
    pushes: (on) => [push([late(on, 'merge', { hlc: stampIn(30) })])],
  },
  {
    name: 'patch that is older, and loses a field',
    seed: (on) => overtaken(on, 'merge'),
    pushes: (on) => [push([late(on, 'merge', { hlc: stampIn(-3600) })])],
  },
  {
    name: 'patch that is stale',
    seed: (on) => overtaken(on, 'stale'),
    pushes: (on) => [each([late(on, 'stale')])],
  },
  {
    name: 'patch and the resolver of the app',
    seed: (on) => overtaken(on, 'custom'),
    pushes: (on) => [push([late(on, 'custom')])],
  },
  {
    name: 'patch and a resolver, and the document moves on meanwhile',
    seed: (on) => overtaken(on, 'moving'),
    pushes: (on) => [push([late(on, 'moving')])],
  },
  {
    name: 'patch of a tombstone, brought back',
    seed: (on) => buried(on, 'last'),
    pushes: (on) => [push([late(on, 'last')])],
  },
  {
    name: 'patch of a tombstone, rejected',
    seed: (on) => buried(on, 'rejecting'),
    pushes: (on) => [each([late(on, 'rejecting')])],
  },
  {
    name: 'patch of nothing',
    pushes: () => [each([patch('last', { inc: { n: 1 } })])],
  },
  {
    name: 'patches of several pushes that share a transaction',
    seed: (on) => first(on, 'last'),
    pushes: () => ['k', 'm', 'n'].map((mutation_id) => push([patch('last', { inc: { n: 1 }, mutation_id })])),
  },
];
