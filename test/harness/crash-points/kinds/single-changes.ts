import { upsert } from '../../../support/http-app';
import type { Kind } from '../case';
import { drop, push, put } from './changes';
import { buried, first } from './seeds';

export const SINGLE_CHANGES: readonly Kind[] = [
  { name: 'first push of a scope', pushes: () => [push([put('last', 'd', 'm')])] },
  { name: 'insert', seed: (on) => first(on, 'stale'), pushes: () => [push([put('last', 'd', 'm')])] },
  {
    name: 'update',
    seed: (on) => first(on, 'last'),
    pushes: (on) => [push([put('last', 'd', 'm', { parent_version: on.versions['d'] })])],
  },
  {
    name: 'update with a global id',
    seed: (on) => on.others('a', upsert('shared', on.named('g'), { first: 1 })),
    pushes: (on) => [
      push([put('shared', on.named('g'), 'm', { parent_version: on.versions[on.named('g')] })]),
    ],
  },
  {
    name: 'delete',
    seed: (on) => first(on, 'last'),
    pushes: (on) => [push([drop('last', 'd', 'm', { parent_version: on.versions['d'] })])],
  },
  { name: 'delete of what was never there', pushes: () => [push([drop('last', 'd', 'm')])] },
  {
    name: 'delete of a tombstone',
    seed: (on) => buried(on, 'last'),
    pushes: (on) => [push([drop('last', 'd', 'm', { parent_version: on.versions['tombstone'] })])],
  },
  {
    name: 'resurrect',
    seed: (on) => buried(on, 'last'),
    pushes: (on) => [push([put('last', 'd', 'm', { parent_version: on.versions['d'] })])],
  },
  {
    name: 'resurrect knowingly',
    seed: (on) => buried(on, 'rejecting'),
    pushes: (on) => [push([put('rejecting', 'd', 'm', { parent_version: on.versions['tombstone'] })])],
  },
];
