const CODES = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ETIMEDOUT']);

/**
 * Whether this is the bare error of a Node socket whose connection broke. The driver lets one through, without its
 * own class, label or retry, when a connection breaks while a command is still being sent.
 */
export function isSocketError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('syscall' in error && 'code' in error)) return false;
  const { syscall, code } = error;
  return (syscall === 'write' || syscall === 'read') && typeof code === 'string' && CODES.has(code);
}
