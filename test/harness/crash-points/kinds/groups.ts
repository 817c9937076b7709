import { upsert } from '../../../support/http-app';
import type { Kind } from '../case';
import { push, put } from './changes';
import { taken } from './seeds';

/** The first push holds the only lane; the others wait meanwhile and share the next transaction. */
export const GROUPS: readonly Kind[] = [
  {
    name: 'group of several pushes of a scope',
    pushes: () => [
      push([put('last', 'd', 'm0')]),
      push([put('last', 'e', 'm1'), put('merge', 'f', 'm2')]),
      push([put('last', 'e', 'm3')]),
    ],
  },
  {
    name: 'group of several scopes',
    scopes: ['a', 'b', 'c', 'd'],
    seed: (on) => on.others('c', upsert('last', 'old', {})),
    pushes: () => [
      push([put('last', 'd', 'm0')]),
      push([put('last', 'd', 'm1')], 'b'),
      push([put('merge', 'd', 'm2'), put('last', 'old', 'm3')], 'c'),
      push([put('client', 'd', 'm4')], 'd'),
    ],
  },
  {
    name: 'group of pushes into the own scope and into another one',
    scopes: ['a', 'b'],
    seed: (on) => on.others('b', upsert('last', 'd', {})),
    pushes: () => [
      push([put('last', 'd', 'm0')]),
      { ...push([put('last', 'd', 'm1'), put('merge', 'e', 'm2')], 'b'), own: 'a' },
      push([put('last', 'e', 'm3')]),
    ],
  },
  {
    name: 'push into another scope, first of it',
    scopes: ['a', 'b'],
    pushes: () => [{ ...push([put('last', 'd', 'm')], 'b'), own: 'a' }],
  },
  {
    name: 'group with a push that is rolled back and a taken unique value',
    scopes: ['a', 'b', 'c'],
    seed: (on) => Promise.all([taken(on), on.others('b', upsert('stale', 'd', {}))]),
    pushes: () => [
      push([put('last', 'd', 'm0')], 'c'),
      push([upsert('unique', 'u', { code: 'x' }, { mutation_id: 'm1' })]),
      push([put('last', 'e', 'm2'), put('stale', 'd', 'm3')], 'b'),
      push([put('last', 'e', 'm4')], 'c'),
    ],
  },
];
