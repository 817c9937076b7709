import type { RuleMutant } from '../mutant';

const RIGHT = { file: 'libs/sync/src/stream/scope-right.spec.ts', tests: '' };
const lost = (tests: string) => ({ file: 'test/e2e/scopes/scopes-lost.e2e.ts', tests });
const scopes = (tests: string) => ({ file: 'test/e2e/scopes/scopes.e2e.ts', tests });
const answers = (tests: string) => ({ file: 'test/e2e/scopes/scopes-answers.e2e.ts', tests });

/** Into which scopes an identity gets, and until when. */
export const SCOPES: readonly RuleMutant[] = [
  {
    name: 'access-asked-once',
    about: 'the app is asked when a subscription begins, and never again',
    noticedBy: RIGHT,
    patches: [
      {
        file: 'stream/scope-right.ts',
        find: 'this.askAt = this.askedAt + this.rules.intervalMs;',
        replace: 'this.askAt = Infinity;',
      },
    ],
  },
  {
    name: 'change-holds-nothing-back',
    about: 'entries go out while the app is asked about a change of access',
    noticedBy: RIGHT,
    patches: [
      {
        file: 'stream/scope-right.ts',
        find: "    this.now = 'held';\n    this.outdated ||= this.asking;\n    this.askAt = at;",
        replace: '    this.outdated ||= this.asking;\n    this.askAt = at;',
      },
    ],
  },
  {
    name: 'answer-of-before-the-change',
    about: 'an answer counts that the app gave before its access changed',
    noticedBy: RIGHT,
    patches: [
      {
        file: 'stream/scope-right.ts',
        find: 'if (this.ended || this.outdated) return;',
        replace: 'if (this.ended) return;',
      },
    ],
  },
  {
    name: 'outage-is-a-loss',
    about: 'a device is told that it has lost a scope because the app could not answer',
    noticedBy: RIGHT,
    patches: [
      {
        file: 'stream/scope-right.ts',
        find: "this.now = this.failures < this.rules.tries ? 'held' : 'failed';",
        replace: "this.now = this.failures < this.rules.tries ? 'held' : 'lost';",
      },
    ],
  },
  {
    name: 'silence-is-a-yes',
    about: 'entries go out for as long as a question has no answer',
    noticedBy: RIGHT,
    patches: [
      {
        file: 'stream/scope-right.ts',
        find: "if (this.now === 'open' && at - this.confirmedAt >= 2 * this.rules.intervalMs) this.now = 'held';",
        replace: '',
      },
    ],
  },
  {
    name: 'change-stays-in-its-process',
    about: 'the sockets of other processes do not hear that access has changed',
    noticedBy: lost('ends at the socket of every process'),
    patches: [
      {
        file: 'stream/scope-watches.ts',
        find: 'await within(this.settings.retryDeadlineMs, () => this.oplog.entries.insertOne(notice));',
        replace: '',
      },
    ],
  },
  {
    name: 'lost-notices-stay-lost',
    about: 'nobody is asked about after a change stream was lost, in which a notice may have been',
    noticedBy: lost('ends where its notice was missed'),
    patches: [
      {
        file: 'stream/scope-watches.ts',
        find: 'for (const watch of this.all()) watch.right.expire(performance.now());',
        replace: '',
      },
    ],
  },
  {
    name: 'more-of-a-lost-scope',
    about: 'a socket is told that it has lost a scope, and gets more of it',
    noticedBy: lost('ends at the socket of every process'),
    patches: [
      {
        file: 'ws/socket-subscriptions.ts',
        find: "if (next.kind === 'scope_lost') return this.lose(scope);",
        replace: "if (next.kind === 'scope_lost') return outbound.text(scopeLostText(scope));",
      },
      {
        file: 'stream/stream-subscription.ts',
        find: "if (watch?.state === 'lost') return { kind: 'scope_lost', scope: scopeId };",
        replace: `if (watch?.state === 'lost' && !this.retry) {
      this.retry = setTimeout(() => undefined, 0).unref();
      return { kind: 'scope_lost', scope: scopeId };
    }`,
      },
    ],
  },
  {
    name: 'reader-pushes',
    about: 'who may read a scope may push into it',
    noticedBy: scopes('may read one and not write to it'),
    patches: [
      {
        file: 'identity/scope-access.ts',
        find: "if (needed === 'write' && level === 'read')",
        replace: "if (needed === 'write' && level === 'none')",
      },
    ],
  },
  {
    name: 'closed-scope-is-told-from-none',
    about: 'the answer says of which scope it is, and so tells two of them apart',
    noticedBy: scopes('cannot tell one that it may not use'),
    patches: [
      {
        file: 'identity/scope-access.ts',
        find: "'This scope may not be used with these credentials, or it does not exist. GET scopes lists those that may be used.',",
        replace: '`The scope ${scope} may not be used with these credentials.`,',
      },
    ],
  },
  {
    name: 'kinds-ignored',
    about: 'a collection lives in scopes of every kind',
    noticedBy: answers('kinds of scopes'),
    patches: [
      {
        file: 'collections/sealed-collection.ts',
        find: 'return kinds === undefined || (kind !== undefined && kinds.has(kind));',
        replace: "return kinds === undefined || kind !== '';",
      },
    ],
  },
  {
    name: 'long-answer-asks-once',
    about: 'a full resync goes on to its end after its reader has lost the scope',
    noticedBy: lost('ends a response of a full resync'),
    patches: [
      {
        file: 'identity/scope-access.ts',
        find: 'if (performance.now() - askedAt < this.settings.scopeCheckIntervalMs) return;',
        replace: 'if (askedAt > 0) return;',
      },
    ],
  },
  {
    name: 'fresh-token-keeps-the-scope',
    about: 'fresh credentials that do not reach a scope end nothing',
    noticedBy: lost('ends with fresh credentials'),
    patches: [
      {
        file: 'ws/socket-subscriptions.ts',
        find: 'await Promise.all(this.running.all().map((subscribed) => this.renewOne(identity, subscribed)));',
        replace: 'await Promise.resolve(identity);',
      },
    ],
  },
  {
    name: 'any-answer-is-a-yes',
    about: 'what the app answers counts as write access unless it is none',
    noticedBy: answers('access'),
    patches: [
      {
        file: 'identity/scope-access.ts',
        find: 'if (isLevel(value)) return value;',
        replace: "if (isLevel(value)) return value;\n      if (value) return 'write';",
      },
    ],
  },
  {
    name: 'outage-is-left-out',
    about: 'a scope is missing in the list because the app could not answer',
    noticedBy: answers('that fails refuses the request'),
    patches: [
      {
        file: 'identity/scope-access.ts',
        find: "if (isRefusal(error)) return 'none';\n      throw",
        replace: "if (isRefusal(error) || !(error instanceof SyncError)) return 'none';\n      throw",
      },
    ],
  },
  {
    name: 'wrong-scope-for-the-app',
    about: 'the app’s own writes may put a document where its collection does not live',
    noticedBy: answers('hold for the app’s own writes'),
    patches: [
      {
        file: 'app-writes/target.ts',
        find: 'if (!collection.livesIn(scopeId))',
        replace: "if (scopeId === '')",
      },
    ],
  },
];
