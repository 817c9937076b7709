import { upsert } from '../../../support/http-app';
import type { Kind } from '../case';
import { each, edit, push, put } from './changes';
import { first, overtaken } from './seeds';

const GROWN = { first: 1, shared: 'old', mine: 2 };

export const MUTATION_IDS: readonly Kind[] = [
  {
    name: 'replay of a receipt',
    seed: (on) => on.others('a', put('last', 'd', 'm')),
    pushes: () => [push([put('last', 'd', 'm')])],
  },
  {
    name: 'replay next to a new change',
    seed: (on) => on.others('a', put('last', 'd', 'm')),
    pushes: () => [push([put('last', 'd', 'm'), put('last', 'd', 'n')])],
  },
  {
    name: 'mutation id used for another change',
    seed: (on) => on.others('a', put('last', 'd', 'm')),
    pushes: () => [each([put('last', 'e', 'm'), put('last', 'f', 'n')])],
  },
  {
    name: 'child of an earlier mutation, merged from what was sent',
    seed: async (on) => {
      await overtaken(on, 'merge');
      await on.send(push([edit(on, 'merge')]));
    },
    pushes: (on) => [push([edit(on, 'merge', { mutation_id: 'n', parent_mutation_id: 'm', data: GROWN })])],
  },
  {
    name: 'child of a mutation that never came',
    pushes: () => [each([put('last', 'd', 'n', { parent_mutation_id: 'm' }), put('last', 'e', 'o')])],
  },
  {
    name: 'upsert of what stands already',
    seed: (on) => on.others('a', upsert('last', 'd', { by: 'm', m: 1 })),
    pushes: (on) => [
      push([put('last', 'd', 'm', { parent_version: on.versions['d'] }), put('last', 'e', 'n')]),
    ],
  },
  {
    name: 'insert without a mutation id',
    unidentified: true,
    pushes: () => [push([upsert('last', 'd', { by: 'nobody' })])],
  },
  {
    name: 'update without a mutation id',
    unidentified: true,
    seed: (on) => first(on, 'last'),
    pushes: (on) => [push([upsert('last', 'd', { by: 'nobody' }, { parent_version: on.versions['d'] })])],
  },
];
