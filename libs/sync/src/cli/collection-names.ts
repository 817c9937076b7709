import { SyncError } from 'nest-offline-sync-protocol';
import { databaseLayout } from '../database/layout';
import type { SyncSettings } from '../options/settings';

/** Of an option: joined by commas. */
export function names(value: string): string[] {
  return [
    ...new Set(
      value
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== ''),
    ),
  ];
}

/** @throws SyncError `configuration` for one that cannot be a synced collection */
export function checkNames(collections: readonly string[], settings: SyncSettings): void {
  const own = databaseLayout(settings, []).map(({ name }) => name);
  for (const name of collections)
    if (own.includes(name) || name.startsWith('system.') || name.includes('$'))
      throw new SyncError(
        'configuration',
        `--collections: ${name} is not a collection of yours. Name the collections that clients sync, such as tasks,orders.`,
      );
}
