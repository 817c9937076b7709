import type { Mutant } from '../mutant';

/** Invariant 5: nothing of one scope is another's to see or to change. */
export const ISOLATION: readonly Mutant[] = [
  {
    name: 'pull-without-scope',
    about: 'the log is read without a look at the scope',
    violates: [5],
    under: 'calm',
    patches: [
      {
        file: 'log/oplog.ts',
        find: '? { scope: scopeId, ...asked }',
        replace: '? { ...asked }',
      },
      {
        file: 'log/oplog.ts',
        find: ': { scope: scopeId, version: { $gte: since },',
        replace: ': { version: { $gte: since },',
      },
    ],
  },
  {
    name: 'full-without-scope',
    about: 'a full resync gives the documents of all scopes',
    violates: [5],
    under: 'calm',
    patches: [
      {
        file: 'full/scope-view.ts',
        find: 'min: { [SYNC_FIELDS.scope]: this.scopeId, _id: from },',
        replace: 'min: { [SYNC_FIELDS.scope]: new MinKey(), _id: from },',
      },
      {
        file: 'full/scope-view.ts',
        find: 'max: { [SYNC_FIELDS.scope]: this.scopeId, _id: to },',
        replace: 'max: { [SYNC_FIELDS.scope]: new MaxKey(), _id: to },',
      },
      {
        file: 'full/scope-view.ts',
        find: 'store.find<Buffer>(this.documentsOf({ from, to: range.to }), options)',
        replace: 'store.find<Buffer>({}, options)',
      },
      {
        file: 'full/lines.ts',
        find: 'if (!this.isOfScope || (this.isDeleted && !this.tombstones)) this.out.back(start);',
        replace: 'if (this.isDeleted && !this.tombstones) this.out.back(start);',
      },
    ],
  },
  {
    name: 'scope-of-anybody',
    about: 'a request works in the scope that it names, whatever the app says about it',
    violates: [5],
    under: 'calm',
    patches: [
      {
        file: 'identity/scope-access.ts',
        find: "if (level === 'none')",
        replace: "if (scope === '')",
      },
    ],
  },
  {
    name: 'stream-without-scope',
    about: 'what is written reaches the subscribers of all scopes',
    violates: [5],
    under: 'calm',
    patches: [
      {
        file: 'stream/change-stream-hub.ts',
        find: 'const subscribers = this.scopes.get(scope);',
        replace: 'const subscribers = new Set([...this.scopes.values()].flatMap((of) => [...of]));',
      },
      {
        file: 'stream/follower.ts',
        find: "if (this.stage !== 'live' || entry.seq <= this.tailSeq) return false;",
        replace: `if (this.stage !== 'live') return false;
    if (this.asked.has(entry.collection) && entry.seq <= this.tailSeq) {
      this.push(entry);
      return true;
    }`,
      },
      {
        file: 'stream/follower.ts',
        find: 'if (entry.seq !== this.tailSeq + 1 || (wanted',
        replace: 'if ((wanted',
      },
    ],
  },
  {
    name: 'documents-without-scope',
    about: 'a change looks at the id alone, whichever scope has the document',
    violates: [5],
    under: 'calm',
    patches: [
      {
        file: 'commit/snapshot.ts',
        find: "documents.set(key, isFree || (typeof scope === 'string' && scopes.has(scope)) ? row : 'foreign');",
        replace: 'documents.set(key, row);',
      },
      {
        file: 'plan/decide.ts',
        find: "if (stored === 'foreign' || (stored && stored.scopeId !== request.scopeId))",
        replace: "if (stored === 'foreign')",
      },
      {
        file: 'commit/plan-writer.ts',
        find: '[SYNC_FIELDS.scope]: expectedScope,\n',
        replace: '\n',
      },
    ],
  },
];
