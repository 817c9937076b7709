import type { RuleMutant } from '../mutant';

const WINDOW = { file: 'libs/sync/src/ws/push-window.spec.ts', tests: '' };
const pushes = (tests: string) => ({ file: 'test/e2e/push/socket-push.e2e.ts', tests });

/** Pushes over the socket. */
export const SOCKETS: readonly RuleMutant[] = [
  {
    name: 'socket-pushes-unbounded',
    about: 'a socket may have any number of pushes under way',
    noticedBy: WINDOW,
    patches: [
      { file: 'ws/push-window.ts', find: 'return this.pushes < this.bounds.pushes &&', replace: 'return' },
    ],
  },
  {
    name: 'socket-push-bytes-unbounded',
    about: 'the pushes of a socket that are under way may have any size together',
    noticedBy: WINDOW,
    patches: [
      {
        file: 'ws/push-window.ts',
        find: 'this.pushes < this.bounds.pushes && this.bytes + bytes <= this.bounds.bytes;',
        replace: 'this.pushes < this.bounds.pushes && bytes <= this.bounds.bytes;',
      },
    ],
  },
  {
    name: 'push-id-twice',
    about: 'two pushes of a socket may have one id, and nobody can tell their answers apart',
    noticedBy: WINDOW,
    patches: [{ file: 'ws/push-window.ts', find: "if (this.ids.has(key)) return 'id in use';", replace: '' }],
  },
  {
    name: 'push-behind-another-user',
    about: 'a push is made after the socket was closed for the token of somebody else',
    noticedBy: pushes('are nobody’s'),
    patches: [
      {
        file: 'ws/socket-session.ts',
        find: "if (this.closing) throw new SyncError('unavailable', 'The socket has closed. Send it again.');",
        replace: '',
      },
    ],
  },
  {
    name: 'token-never-ends',
    about: 'a socket stays open when its credentials have run out',
    noticedBy: { file: 'libs/sync/src/ws/pulse.spec.ts', tests: '' },
    patches: [{ file: 'ws/pulse.ts', find: 'if (member.endsAt <= now) member.ended();', replace: '' }],
  },
  {
    name: 'answers-nobody-reads',
    about: 'pushes are begun for a client that does not read its answers',
    noticedBy: { file: 'libs/sync/src/ws/socket-pushes.spec.ts', tests: '' },
    patches: [
      {
        file: 'ws/socket-pushes.ts',
        find: 'this.window.offer(push, this.around.outbound.isFull);',
        replace: 'this.window.offer(push, false);',
      },
    ],
  },
  {
    name: 'shutdown-drops-pushes',
    about: 'a process that stops does not wait for the pushes of its sockets',
    noticedBy: pushes('are answered before the socket closes'),
    patches: [
      {
        file: 'ws/socket-pushes.ts',
        find: 'if (this.window.underWay === 0) return;',
        replace: 'if (this.window.underWay >= 0) return;',
      },
    ],
  },
  {
    name: 'anonymous-pushes-are-free',
    about: 'a socket without credentials may have any number of them checked',
    noticedBy: pushes('without credentials keep no socket open'),
    patches: [
      {
        file: 'ws/socket-session.ts',
        find: 'if (!this.bucket.tryConsume(performance.now())) this.tooMany();\n        throw',
        replace: 'throw',
      },
    ],
  },
];
