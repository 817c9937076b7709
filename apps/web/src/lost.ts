/** A sentence after one that says that data is gone. */
export function lostChanges(count: number): string {
  return `${count === 1 ? '1 change was' : `${String(count)} changes were`} not sent, and went with it.`;
}
