import { upsert } from '../../../support/http-app';
import type { Kind } from '../case';
import { each, push, put } from './changes';
import { first } from './seeds';

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
