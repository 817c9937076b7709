/** The fields that the engine keeps with each synced document, next to the app's own. */
export const SYNC_FIELDS = {
  version: '_sync_version',
  actor: '_sync_actor_id',
  scope: '_sync_scope_id',
  deleted: '_sync_deleted',
  /** The edit stamp of the last winner, when its client sent one. */
  hlc: '_sync_hlc',
} as const;

export const SYNC_FIELD_PREFIX = '_sync_';

export function isSyncField(key: string): boolean {
  return key.startsWith(SYNC_FIELD_PREFIX);
}
