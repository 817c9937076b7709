import { isSocketError } from './socket-error';

const failed = (syscall: string | undefined, code: string): Error =>
  Object.assign(new Error(), syscall === undefined ? { code } : { syscall, code });

describe('a broken socket', () => {
  it('is known by what the system said', () => {
    expect(isSocketError(failed('write', 'EPIPE'))).toBe(true);
    expect(isSocketError(failed('read', 'ECONNRESET'))).toBe(true);
    // What Node says when the other side has ended the connection before.
    expect(isSocketError(failed(undefined, 'EPIPE'))).toBe(true);
  });

  it('is nothing else: no server that refuses, no missing file, no error of the app', () => {
    const others = [failed('connect', 'ECONNREFUSED'), failed('open', 'ENOENT'), failed('write', 'EBADF')];
    for (const error of [...others, new Error('write EPIPE'), 'EPIPE', null])
      expect(isSocketError(error)).toBe(false);
  });
});
