import type { RuleMutant } from '../mutant';

const CURSOR = { file: 'libs/sync/src/pull/cursor.spec.ts', tests: 'is for a seq what it is' };
const QUERY = { file: 'libs/protocol/src/pull.spec.ts', tests: '' };
const identity = (tests: string) => ({ file: 'test/e2e/identity/fingerprint.e2e.ts', tests });
const digest = (tests: string) => ({ file: 'test/e2e/full/digest.e2e.ts', tests });
const documents = (tests: string) => ({ file: 'test/e2e/full/documents.e2e.ts', tests });

const outdated = (door: string, file: string, find: string, replace: string): RuleMutant => ({
  name: `outdated-client-${door}`,
  about: `a client that the app no longer serves is served by ${door}`,
  noticedBy: { file: 'test/e2e/info/client-schema.e2e.ts', tests: `is refused at every door: ${door}` },
  patches: [{ file, find, replace }],
});
const ADMITTED = 'await this.admission.admit(identity, envelope);';
const ENTERED = "await this.admission['access'].enter(identity, envelope.scope, 'read');";

/** What a client has to know, and how it asks. */
export const READS: readonly RuleMutant[] = [
  {
    name: 'seq-of-the-future',
    about: 'a seq that this database has never given out is known',
    noticedBy: CURSOR,
    patches: [
      {
        file: 'pull/cursor.ts',
        find: 'if (!head || seq > head.seq) return UNKNOWN;',
        replace: 'if (!head) return UNKNOWN;',
      },
    ],
  },
  {
    name: 'seq-below-the-floor',
    about: 'a seq of which entries are gone is known',
    noticedBy: CURSOR,
    patches: [{ file: 'pull/cursor.ts', find: 'if (seq < head.floorSeq) return TOO_OLD;', replace: '' }],
  },
  {
    name: 'two-cursors',
    about: 'a request may have two cursors, of which one is passed over',
    noticedBy: QUERY,
    patches: [
      {
        file: '../../protocol/src/read-query.ts',
        find: 'if (text !== undefined && seq !== undefined)',
        replace: "if (text !== undefined && seq !== undefined && text === '')",
      },
    ],
  },
  {
    name: 'anybody-is-expected',
    about: 'a client that expects to be somebody else is served',
    noticedBy: identity('refuses what is meant for another identity'),
    patches: [
      { file: 'identity/fingerprints.ts', find: 'if (actual !== expected)', replace: "if (expected === '')" },
    ],
  },
  {
    name: 'nobody-is-anybody',
    about: 'a client that has lost what it expects is served as anybody',
    noticedBy: identity('malformed'),
    patches: [
      {
        file: '../../protocol/src/envelope.ts',
        find: "if (typeof value === 'string' && value !== '') return value;",
        replace: "if (typeof value === 'string') return value === '' ? undefined : value;",
      },
    ],
  },
  {
    name: 'identity-without-actor',
    about: 'two users of a scope are the same',
    noticedBy: identity('differs by scope, actor and database'),
    patches: [
      {
        file: 'identity/fingerprints.ts',
        find: '.update(JSON.stringify([ownScopeId, actorId]))',
        replace: '.update(JSON.stringify([ownScopeId, typeof actorId]))',
      },
    ],
  },
  {
    name: 'identity-of-the-process',
    about: 'each process knows an identity by another text',
    noticedBy: identity('is the same in processes that start at once'),
    patches: [
      {
        file: 'identity/fingerprints.ts',
        find: 'this.key = await within(this.settings.retryDeadlineMs, () => this.keyOfDatabase());',
        replace: "this.key = randomBytes(KEY_BYTES).toString('base64url');",
      },
    ],
  },
  outdated(
    'push',
    'push/push.service.ts',
    "await this.admission.admit(identity, parsed, 'write');",
    "await this.admission['access'].enter(identity, parsed.scope, 'write');",
  ),
  outdated('pull', 'pull/pull.service.ts', ADMITTED, ENTERED),
  outdated(
    'full',
    'full/full.service.ts',
    'await this.admission.admit(identity, query);',
    "await this.admission['access'].enter(identity, query.scope, 'read');",
  ),
  outdated('documents', 'full/documents.service.ts', ADMITTED, ENTERED),
  outdated('digest', 'full/digest.service.ts', ADMITTED, ENTERED),
  outdated(
    'info',
    'info/info.service.ts',
    'await this.admission.admit(identity, parseEnvelope(queryObject(request)));',
    "await this.admission['access'].enter(identity, parseEnvelope(queryObject(request)).scope, 'read');",
  ),
  outdated(
    'subscribe',
    'stream/stream.service.ts',
    'await this.admission.check(identity, envelope);',
    "this.admission['fingerprints'].expect(identity, envelope.expectedIdentity);",
  ),
  {
    name: 'documents-of-others',
    about: 'a single document is read whichever scope has it',
    noticedBy: documents("shows another scope's document to nobody"),
    patches: [
      {
        file: 'full/documents.service.ts',
        find: 'const filter = { [SYNC_FIELDS.scope]: scopeId, _id: { $in: ids } }',
        replace: 'const filter = { _id: { $in: ids } }',
      },
      {
        file: 'full/documents.service.ts',
        find: 'if (stored[SYNC_FIELDS.scope] === scopeId)',
        replace: 'if (scopeId)',
      },
    ],
  },
  {
    name: 'documents-cut-off',
    about: 'documents that had no room in an answer are said to be missing',
    noticedBy: documents('stops when the answer grows too large'),
    patches: [
      {
        file: 'full/documents.service.ts',
        find: 'missing: isCut ? [] : absent,',
        replace: 'missing: absent,',
      },
    ],
  },
  {
    name: 'digest-of-two-moments',
    about: 'a digest says that it is of a later moment than its documents',
    noticedBy: digest('is of one moment'),
    patches: [
      {
        file: 'full/digest.service.ts',
        find: 'last_seq: head?.version ?? ZERO_VERSION,\n        seq: head?.seq ?? 0,',
        replace: `...(await this.oplog.readHead(reader.scopeId).then((later) => ({
          last_seq: (later ?? head)?.version ?? ZERO_VERSION,
          seq: (later ?? head)?.seq ?? 0,
        }))),`,
      },
    ],
  },
  {
    name: 'digest-of-the-dead',
    about: 'tombstones count as documents',
    noticedBy: digest('is what a device computes'),
    patches: [
      {
        file: 'full/digest.service.ts',
        find: 'const sum = isDeleted ? deleted : live;',
        replace: 'const sum = live;',
      },
    ],
  },
  {
    name: 'digest-by-exclusive-or',
    about: 'a document that is there twice looks like one that is missing',
    noticedBy: { file: 'libs/protocol/src/digest.spec.ts', tests: '' },
    patches: [
      {
        file: '../../protocol/src/digest.ts',
        find: 'BigInt.asUintN(BITS, this.sum + numberOf(hash));',
        replace: 'this.sum ^ numberOf(hash);',
      },
      {
        file: '../../protocol/src/digest.ts',
        find: 'BigInt.asUintN(BITS, this.sum - numberOf(hash));',
        replace: 'this.sum ^ numberOf(hash);',
      },
    ],
  },
  {
    name: 'digests-unbounded',
    about: 'any number of digests may be taken at the same time',
    noticedBy: digest('refuses more than a few'),
    patches: [
      {
        file: 'full/digest.service.ts',
        find: 'if (this.underWay >= AT_ONCE)',
        replace: 'if (this.underWay < 0)',
      },
    ],
  },
  {
    name: 'digest-of-what-is-secret',
    about: 'a digest counts collections that the identity may not read',
    noticedBy: digest('counts nothing that the identity may not read'),
    patches: [
      {
        file: 'full/digest.service.ts',
        find: 'const collections = await this.collections.readable(reader, asked);',
        replace:
          'const collections = (asked ?? this.collections.names()).map((name) => this.collections.get(name)!);',
      },
    ],
  },
];
