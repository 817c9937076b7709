const CODES = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ETIMEDOUT']);

/**
 * Whether this is the bare error of a Node socket whose connection broke. The driver lets one through, without its
 * own class, label or retry, when a connection breaks while a command is still being sent.
 */
export function isSocketError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('code' in error)) return false;
  if (typeof error.code !== 'string' || !CODES.has(error.code)) return false;
  // A socket that the other side has ended refuses to write by itself: no call of the system is named then.
  const syscall = 'syscall' in error ? error.syscall : undefined;
  return syscall === 'write' || syscall === 'read' || (syscall === undefined && error.code === 'EPIPE');
}
