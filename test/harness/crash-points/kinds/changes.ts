import { formatHlc } from 'nest-offline-sync';
import { remove, upsert } from '../../../support/http-app';
import type { Case, Push } from '../case';

/** A change with a receipt. */
export function put(collection: string, id: string, mutation: string, more: object = {}): object {
  return upsert(collection, id, { by: mutation, [mutation]: 1 }, { mutation_id: mutation, ...more });
}

export function drop(collection: string, id: string, mutation: string, more: object = {}): object {
  return remove(collection, id, { mutation_id: mutation, ...more });
}

export function push(changes: readonly object[], scope = 'a'): Push {
  return { scope, changes };
}

/** A push whose changes succeed or fail independently. */
export function each(changes: readonly object[], scope = 'a'): Push {
  return { scope, changes, atomic: 'mutation' };
}

/** The device's own edit of a document that is {@link overtaken}. */
export function edit(on: Case, collection: string, more: object = {}): object {
  const known = { mutation_id: 'm', parent_version: on.versions['d'] };
  return upsert(collection, 'd', { first: 1, shared: 'old', mine: 1 }, { ...known, ...more });
}

/** A device's stamp, so many seconds from now. */
export function stampIn(seconds: number): string {
  return formatHlc({ ms: Date.now() + seconds * 1000, counter: 0, node: 'device' });
}
