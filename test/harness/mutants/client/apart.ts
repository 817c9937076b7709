import { client, type ClientMutant } from './mutant';

/** Users, leaders, storages and loads do not meet. */
export const APART: readonly ClientMutant[] = [
  {
    name: 'one-database-for-all-users',
    breaks: ['C8'],
    about: 'the database of a device is that of its server',
    noticedBy: { file: 'libs/client/src/two-users.spec.ts', tests: 'late: false.*unsent: keep' },
    patches: [
      client(
        'registry.ts',
        '  const key = keyText(url, identity, scope);\n  const [fresh',
        '  const key = JSON.stringify([url, scope ?? null]);\n  const [fresh',
      ),
    ],
  },
  {
    name: 'token-of-anybody',
    breaks: ['C8'],
    about: 'data of one user is sent with the token of another one',
    noticedBy: { file: 'libs/client/src/two-users.spec.ts', tests: 'is not used for the data of this user' },
    patches: [
      client(
        'auth.ts',
        '    if (of && (of.scope !== owner.scope || of.actor !== owner.actor))',
        "    if (of && of.scope === '')",
      ),
    ],
  },
  {
    name: 'answer-for-anybody',
    breaks: ['C8'],
    about: 'an answer to another identity is stored',
    noticedBy: { file: 'libs/client/src/two-users.spec.ts', tests: 'tells by the answer whose it is' },
    patches: [
      client('reading.ts', '    return told === null || told === identity;', "    return told !== '';"),
    ],
  },
  {
    name: 'quarantine-of-the-last-user',
    breaks: ['C8'],
    about: 'the next user is shown what was refused to the last one',
    noticedBy: { file: 'libs/client/src/two-users.spec.ts', tests: 'late: false.*unsent: keep' },
    patches: [client('scope-client.ts', '    void this.rejected.refresh(undefined);\n', '')],
  },
  {
    name: 'half-a-page-is-a-page',
    breaks: ['C9'],
    about: 'a page of a load that was cut off counts as whole',
    noticedBy: { file: 'libs/client/src/crash-points.spec.ts', tests: 'cut' },
    patches: [
      client(
        'load-page.ts',
        '      ...(end ? { next: end.cursor } : {}),',
        '      next: end ? end.cursor : null,',
      ),
    ],
  },
  {
    name: 'position-of-the-last-try',
    breaks: ['C5', 'C9'],
    about: 'a page that was cut off has rows, and the cursor behind it is of the next try',
    noticedBy: { file: 'libs/client/src/loading.spec.ts', tests: 'goes on with the page' },
    patches: [
      client(
        'rules/reader-state.ts',
        '      lastSeq: load.lastSeq ?? page.lastSeq,',
        '      lastSeq: next === undefined ? undefined : (load.lastSeq ?? page.lastSeq),',
      ),
    ],
  },
  {
    name: 'robbed-leader-writes',
    breaks: ['C10', 'R8'],
    about: 'a leader that was robbed goes on writing what the server says',
    noticedBy: { file: 'libs/client/src/replica.spec.ts', tests: '' },
    patches: [client('work.ts', 'epoch !== undefined && n !== epoch', 'epoch !== undefined && n < epoch')],
  },
  {
    name: 'full-storage-is-a-failure',
    breaks: ['C11'],
    about: 'a full device looks like a server that cannot be reached',
    noticedBy: { file: 'libs/client/src/full-storage.spec.ts', tests: 'stops reading and says so' },
    patches: [
      client(
        'rules/reader-state.ts',
        "  return code === 'storage_full' ? 'storage' : undefined;",
        "  return code === 'storage_is_full' ? 'storage' : undefined;",
      ),
    ],
  },
  {
    name: 'patch-drops-what-it-does-not-name',
    breaks: ['C12'],
    about: 'a patch keeps only the fields that it names',
    noticedBy: { file: 'libs/client/src/rules/fields.spec.ts', tests: 'lays a patch on a document' },
    patches: [
      client(
        'rules/fields.ts',
        '  const copy: Draft = { ...data };',
        '  const copy: Draft = pathsOf(patch).length > 3 ? { ...data } : {};',
      ),
    ],
  },
  {
    name: 'wait-without-end',
    breaks: ['C13'],
    about: 'after many failures nothing is tried any more',
    noticedBy: { file: 'libs/client/src/rules/timing.spec.ts', tests: 'waits longer with each failure' },
    patches: [
      client(
        'rules/backoff.ts',
        '  const most = Math.min(limits.maxMs, ',
        '  const most = Math.min(Infinity, ',
      ),
    ],
  },
  {
    name: 'parked-for-ever',
    breaks: ['C13'],
    about: 'what the server failed at is never tried again',
    noticedBy: { file: 'libs/client/src/pusher.spec.ts', tests: 'tries that again an hour later' },
    patches: [client('pusher.ts', 'const PARKED_MS = 3_600_000;', 'const PARKED_MS = 3_600_000_000;')],
  },
  {
    name: 'silence-is-patience',
    breaks: ['C13'],
    about: 'a connection that is half open is waited for without end',
    noticedBy: { file: 'libs/client/src/live-hub.spec.ts', tests: 'after silence' },
    patches: [
      client(
        'live-socket.ts',
        '    this.endSilence = this.environment.timer(this.silenceMs, () => this.end(SILENT));',
        '    this.endSilence = undefined;',
      ),
    ],
  },
  {
    name: 'socket-for-each-scope',
    breaks: ['C14'],
    about: 'each scope opens a socket',
    noticedBy: { file: 'libs/client/src/live-hub.spec.ts', tests: 'is shared by all scopes' },
    patches: [
      client(
        'live-hub.ts',
        '    this.socket ??= this.opened(silenceMs);',
        '    this.socket = this.opened(silenceMs);',
      ),
    ],
  },
  {
    name: 'refused-token-is-used-again',
    breaks: ['C15'],
    about: 'a token that was refused is sent again',
    noticedBy: { file: 'libs/client/src/pusher.spec.ts', tests: 'asks for another token' },
    patches: [
      client(
        'auth.ts',
        '    this.current = undefined;\n    this.wasRefused = true;',
        '    this.wasRefused = true;',
      ),
    ],
  },
  {
    name: 'refused-token-is-a-verdict',
    breaks: ['C15'],
    about: 'a push with a token that is refused counts as one that the server does not take',
    noticedBy: { file: 'libs/client/src/pusher.spec.ts', tests: 'asks for another token' },
    patches: [
      client('pusher.ts', '    if (!by) return false;', "    if (!by || by === 'auth') return false;"),
      client(
        'pusher.ts',
        "failure.kind === 'malformed') return",
        "failure.kind === 'malformed' || failure.kind === 'auth') return",
      ),
    ],
  },
  {
    name: 'emptied-before-a-load',
    breaks: ['C9'],
    about: 'a load begins with an empty base',
    noticedBy: { file: 'libs/client/src/sequences.spec.ts', tests: 'steadily, while everything is loaded' },
    patches: [
      client(
        'reading.ts',
        '    if (isRestored) await doubtAnswered(work);',
        '    if (isRestored) await doubtAnswered(work);\n    await work.stores.base.clear();',
      ),
    ],
  },
  {
    name: 'looks-at-the-platform-at-import',
    breaks: ['C17'],
    about: 'an import looks for a socket',
    noticedBy: { file: 'libs/client/src/silent-import.spec.ts', tests: 'an import of' },
    patches: [
      client(
        'environment.ts',
        '/** What the platform has, with what is given in place of it. */',
        "export const HAS_SOCKET = 'WebSocket' in globalThis && (globalThis as { WebSocket?: unknown }).WebSocket;\n\n/** What the platform has, with what is given in place of it. */",
      ),
    ],
  },
  {
    name: 'token-after-its-user',
    breaks: ['C8'],
    about: 'a token that was being asked for is used after its user has left',
    noticedBy: { file: 'libs/client/src/auth.spec.ts', tests: 'a token that comes after its user has left' },
    patches: [
      client(
        'auth.ts',
        'Promise.race([left, this.fetched(reason)]).then(',
        '(left.catch(() => undefined), this.fetched(reason)).then(',
      ),
      client('auth.ts', "      if (this.asking !== asking) throw new AuthError('The user has left.');\n", ''),
      client(
        'client.ts',
        '    this.user = undefined;\n    this.auth.forget();\n',
        '    this.user = undefined;\n',
      ),
      client(
        'client.ts',
        '    // Again: the last request may have asked for one.\n    this.auth.forget();\n',
        '',
      ),
    ],
  },
  {
    name: 'unsent-edits-go-with-a-resync',
    breaks: ['C1', 'C9'],
    about: 'a load from the beginning takes edits along that were not sent',
    noticedBy: { file: 'libs/client/src/sequences.spec.ts', tests: 'steadily, while everything is loaded' },
    patches: [
      client(
        'reading.ts',
        '    if (isRestored) await doubtAnswered(work);',
        "    for (const each of await work.outbox()) if (each.state !== 'answered') await work.drop(each);\n    if (isRestored) await doubtAnswered(work);",
      ),
    ],
  },
];
