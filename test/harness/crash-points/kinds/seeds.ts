import type { PushResult } from 'nest-offline-sync';
import { remove, upsert } from '../../../support/http-app';
import type { Case } from '../case';

/** Another client's document. */
export function first(on: Case, collection: string, data: object = { first: 1 }): Promise<PushResult[]> {
  return on.others('a', upsert(collection, 'd', data));
}

/** A document that the device has in its first version, and somebody else has edited since. */
export async function overtaken(on: Case, collection: string): Promise<void> {
  await first(on, collection, { first: 1, shared: 'old' });
  const parent_version = on.versions['d'];
  await on.others('a', upsert(collection, 'd', { first: 1, shared: 'theirs' }, { parent_version }));
  on.versions['d'] = parent_version ?? '';
}

/** One that somebody else has deleted since; the tombstone's version is kept as `tombstone`. */
export async function buried(on: Case, collection: string): Promise<void> {
  await first(on, collection);
  const parent_version = on.versions['d'];
  await on.others('a', remove(collection, 'd', { parent_version }));
  on.versions['tombstone'] = on.versions['d'] ?? '';
  on.versions['d'] = parent_version ?? '';
}

/** A unique value that is already taken. */
export function taken(on: Case): Promise<PushResult[]> {
  return on.others('a', upsert('unique', 'owner', { code: 'x' }));
}
