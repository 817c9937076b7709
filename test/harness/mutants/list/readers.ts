import type { Mutant } from '../mutant';

/** Invariant 3: pull and stream give every entry. */
export const READERS: readonly Mutant[] = [
  {
    name: 'gap-before-live',
    about: 'what is dispatched while a subscriber reads its backlog is forgotten',
    violates: [3],
    under: 'slow commits',
    patches: [
      {
        file: 'stream/follower.ts',
        find: 'if (this.live) for (const entry of pending ?? []) this.offer(entry);',
        replace: '',
      },
      {
        file: 'stream/follower.ts',
        find: 'if (entry.seq !== this.tailSeq + 1 || (wanted',
        replace: 'if ((wanted',
      },
      {
        // A moment between the two, so that it does not depend on chance.
        file: 'stream/stream-subscription.ts',
        find: 'this.follower.page(answer);',
        replace: 'await new Promise((go) => setTimeout(go, 20));\n      this.follower.page(answer);',
      },
    ],
  },
  {
    name: 'page-ends-at-the-head',
    about: 'a page that is cut by its limit moves the cursor to the end of the log',
    violates: [3],
    under: 'calm',
    patches: [
      {
        file: 'pull/cursor.ts',
        find: 'const hasMore = above.length > limit || (cutShort && last !== undefined);',
        replace: 'const hasMore = cutShort && last !== undefined;',
      },
    ],
  },
  {
    name: 'head-read-after-entries',
    about: 'the cursor that ends a page is read after its entries',
    violates: [3],
    under: 'slow commits',
    patches: [
      {
        file: 'pull/pull.service.ts',
        find: 'return pageOf(look, head, rows, query.limit, cutShort);',
        replace:
          'return pageOf(look, (await this.oplog.readHead(scopeId)) ?? head, rows, query.limit, cutShort);',
      },
    ],
  },
];

/** Invariant 6: log, full resync and collection agree. */
export const CONVERGENCE: readonly Mutant[] = [
  {
    name: 'delete-leaves-the-document',
    about: 'a delete writes its log entry and no tombstone',
    violates: [6],
    under: 'calm',
    patches: [
      {
        file: 'plan/recording.ts',
        find: 'if (!written) continue;',
        replace: 'if (!written || state.deleted) continue;',
      },
    ],
  },
  {
    name: 'entry-holds-the-old-data',
    about: 'the log has the document as it was before the change',
    violates: [6],
    under: 'calm',
    patches: [
      {
        file: 'plan/recording.ts',
        find: 'fields === change.document && change.text !== undefined',
        replace: `current && !deleted && !current.deleted
      ? JSON.stringify(encodeDocument(current.fields))
      : fields === change.document && change.text !== undefined`,
      },
    ],
  },
  {
    name: 'document-not-written',
    about: 'an update of a stored document reaches the log only',
    violates: [6],
    under: 'calm',
    patches: [
      {
        file: 'commit/plan-writer.ts',
        find: 'return { q, u: whole };',
        replace: 'return { q, u: { $set: { [SYNC_FIELDS.version]: whole[SYNC_FIELDS.version] } } };',
      },
    ],
  },
];
