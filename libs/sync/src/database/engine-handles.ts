/** Collections and databases that the engine itself writes through: who listens to the app's writes hears nothing of them. */
const OURS = new WeakSet();

export function markOurs<T extends object>(handle: T): T {
  OURS.add(handle);
  return handle;
}

export function isOurs(handle: object): boolean {
  return OURS.has(handle);
}
