import type { Kind } from '../case';
import { drop, each, edit, push, put, stampIn } from './changes';
import { buried, overtaken } from './seeds';

const conflict = (name: string, collection: string, more: () => object = () => ({})): Kind => ({
  name,
  seed: (on) => overtaken(on, collection),
  pushes: (on) => [push([edit(on, collection, more())])],
});

export const CONFLICTS: readonly Kind[] = [
  conflict('stale, rejected, batch', 'stale'),
  {
    name: 'stale, rejected, kept in a receipt',
    seed: (on) => overtaken(on, 'stale'),
    pushes: (on) => [each([edit(on, 'stale')])],
  },
  conflict('last writer wins', 'last', () => ({ hlc: stampIn(30) })),
  {
    name: 'last writer was another',
    seed: (on) => overtaken(on, 'last'),
    pushes: (on) => [each([edit(on, 'last', { hlc: stampIn(-3600) })])],
  },
  conflict('client wins', 'client'),
  conflict('merge with its base', 'merge'),
  conflict('resolver of the app', 'custom'),
  {
    name: 'resolver, and the document moves on meanwhile',
    seed: (on) => overtaken(on, 'moving'),
    pushes: (on) => [push([edit(on, 'moving')])],
  },
  {
    name: 'update of a tombstone, rejected',
    seed: (on) => buried(on, 'rejecting'),
    pushes: (on) => [each([put('rejecting', 'd', 'm', { parent_version: on.versions['d'] })])],
  },
  {
    name: 'delete wins',
    seed: (on) => overtaken(on, 'deleting'),
    pushes: (on) => [push([drop('deleting', 'd', 'm', { parent_version: on.versions['d'] })])],
  },
];
