/** The fields that the engine keeps with each synced document, beside the app's own. */
export const SYNC_FIELDS = {
  version: '_sync_version',
  actor: '_sync_actor_id',
  scope: '_sync_scope_id',
  deleted: '_sync_deleted',
  /** The edit stamp of the last winner, when its client sent one. */
  hlc: '_sync_hlc',
} as const;

export function isSyncField(key: string): boolean {
  return key.startsWith('_sync_');
}
