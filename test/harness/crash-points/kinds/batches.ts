import { upsert } from '../../../support/http-app';
import type { Kind } from '../case';
import { drop, each, edit, push, put } from './changes';
import { first, overtaken, taken } from './seeds';

export const BATCHES: readonly Kind[] = [
  {
    name: 'mixed batch in several collections',
    seed: (on) =>
      on.others('a', upsert('last', 'd', {}), upsert('merge', 'e', {}), upsert('client', 'f', { old: 1 })),
    pushes: ({ versions }) => [
      push([
        put('last', 'new', 'm1'),
        put('merge', 'e', 'm2', { parent_version: versions['e'] }),
        drop('last', 'd', 'm3', { parent_version: versions['d'] }),
        put('client', 'f', 'm4', { parent_version: versions['f'] }),
        put('stale', 'g', 'm5'),
      ]),
    ],
  },
  {
    name: 'several changes of one document',
    pushes: () => [push([put('last', 'd', 'm1'), put('last', 'd', 'm2'), drop('last', 'd', 'm3')])],
  },
  {
    name: 'batch with a rejected change',
    seed: (on) => overtaken(on, 'stale'),
    pushes: (on) => [push([put('last', 'x', 'm1'), edit(on, 'stale'), put('merge', 'y', 'm2')])],
  },
  {
    name: 'atomic by mutation with a rejected change',
    seed: (on) => overtaken(on, 'stale'),
    pushes: (on) => [each([put('last', 'x', 'm1'), edit(on, 'stale'), put('merge', 'y', 'm2')])],
  },
  {
    name: 'groups of which one falls, and what builds on it',
    seed: (on) => overtaken(on, 'stale'),
    pushes: (on) => [
      {
        scope: 'a',
        changes: [
          put('last', 'x', 'm1', { group: 'one' }),
          put('last', 'y', 'm2', { group: 'one' }),
          put('last', 'z', 'm3', { group: 'two' }),
          edit(on, 'stale', { group: 'two' }),
          put('last', 'z', 'm4', { group: 'three' }),
          put('last', 'v', 'm5'),
        ],
      },
    ],
  },
  {
    name: 'group with a unique value that is taken',
    seed: taken,
    pushes: () => [
      {
        scope: 'a',
        changes: [
          put('last', 'd', 'm1', { group: 'one' }),
          upsert('unique', 'u', { code: 'x' }, { mutation_id: 'm2', group: 'one' }),
          upsert('unique', 'v', { code: 'y' }, { mutation_id: 'm3', group: 'two' }),
        ],
      },
    ],
  },
  {
    name: 'id of another scope',
    scopes: ['a', 'b'],
    seed: (on) => on.others('b', upsert('shared', on.named('g'), { theirs: 1 })),
    pushes: (on) => [each([put('shared', on.named('g'), 'm1'), put('last', 'd', 'm2')])],
  },
  {
    name: 'unique value that is taken, batch',
    seed: taken,
    pushes: () => [
      push([put('last', 'd', 'm1'), upsert('unique', 'u', { code: 'x' }, { mutation_id: 'm2' })]),
    ],
  },
  {
    name: 'unique value that is taken, the rest planned again',
    seed: taken,
    pushes: () => [
      each([
        put('last', 'd', 'm1'),
        upsert('unique', 'u', { code: 'x' }, { mutation_id: 'm2' }),
        put('merge', 'e', 'm3'),
      ]),
    ],
  },
  {
    name: 'unique value that changes hands in one push',
    seed: taken,
    pushes: ({ versions }) => [
      push([
        drop('unique', 'owner', 'm1', { parent_version: versions['owner'] }),
        upsert('unique', 'u', { code: 'x' }, { mutation_id: 'm2' }),
      ]),
    ],
  },
  {
    name: 'push that another process overtakes',
    seed: (on) => first(on, 'last'),
    pushes: (on) => [push([put('last', 'd', 'm', { parent_version: on.versions['d'] })])],
    meanwhile: {
      before: 'update sync_heads',
      work: (on) => on.others('a', upsert('merge', 'rival', { by: 'rival' })),
    },
  },
];
