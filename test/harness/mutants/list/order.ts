import type { Mutant, Patch } from '../mutant';

/** Without the last guard a wrong order is written, instead of failing as a duplicate key. */
const NO_LAST_GUARD: readonly Patch[] = [
  {
    file: 'database/indexes.ts',
    find: '{ key: { scope: 1, seq: 1 }, unique: true }',
    replace: '{ key: { scope: 1, seq: 1 } }',
  },
  {
    file: 'database/indexes.ts',
    find: '{ key: { scope: 1, version: 1 }, unique: true }',
    replace: '{ key: { scope: 1, version: 1 } }',
  },
];

const HEADS_READ = 'this.oplog.heads.find({ _id: { $in: [...scopes] } }, { session }).toArray();';
const HEAD_UPDATE = 'return { q: { _id: scopeId, seq: fromSeq }, u: { $set: { version, seq } } };';

/** Invariant 2: versions rise in commit order. */
export const ORDER: readonly Mutant[] = [
  {
    name: 'order-outside-transaction',
    about:
      'the head is read and moved outside the transaction: numbers are assigned before their entries are committed',
    violates: [2, 3],
    under: 'slow commits',
    patches: [
      {
        file: 'commit/snapshot.ts',
        find: HEADS_READ,
        replace: HEADS_READ.replace(', { session }', ''),
      },
      {
        file: 'commit/committer.ts',
        find: 'await this.writer.moveHeads(session, plan.heads);',
        replace: 'await this.writer.moveHeads(undefined, plan.heads);',
      },
    ],
  },
  {
    name: 'head-read-outside-no-compare',
    about: 'the head is read before the transaction, and set without a look at what it is by then',
    violates: [2],
    under: 'rivals',
    patches: [
      ...NO_LAST_GUARD,
      {
        file: 'commit/snapshot.ts',
        find: HEADS_READ,
        replace: HEADS_READ.replace(', { session }', ''),
      },
      {
        file: 'commit/plan-writer.ts',
        find: HEAD_UPDATE,
        replace: 'return { q: { _id: scopeId }, u: { $set: { version, seq } } };',
      },
    ],
  },
  {
    name: 'head-update-changes-nothing',
    about: 'the transaction touches the head with an update that changes nothing; it moves after the commit',
    violates: [2],
    under: 'rivals',
    patches: [
      ...NO_LAST_GUARD,
      {
        file: 'commit/plan-writer.ts',
        find: HEAD_UPDATE,
        replace: 'return { q: { _id: scopeId }, u: { $max: { seq: 0 } } };',
      },
      {
        file: 'commit/committer.ts',
        find: 'await commitUntil(session, deadline);\n      return plan;',
        replace: `await commitUntil(session, deadline);
        for (const { scopeId, version, seq } of plan.heads)
          await this.writer.oplog.heads.updateOne({ _id: scopeId }, { $max: { version, seq } });
        return plan;`,
      },
    ],
  },
  {
    name: 'head-cached-over-attempts',
    about: 'a transaction that is retried uses the head that its first attempt read',
    violates: [2],
    under: 'rivals',
    patches: [
      ...NO_LAST_GUARD,
      {
        file: 'commit/snapshot.ts',
        find: 'const heads = await this.heads(session, [...scopesOf(requests)]);',
        replace: `this.cached ??= new WeakMap();
    const heads =
      this.cached.get(requests[0]) ??
      (await this.heads(session, [...new Set(requests.map((request) => request.scopeId))]));
    for (const request of requests) this.cached.set(request, heads);`,
      },
      {
        file: 'commit/plan-writer.ts',
        find: HEAD_UPDATE,
        replace: 'return { q: { _id: scopeId }, u: { $set: { version, seq } } };',
      },
    ],
  },
  {
    name: 'clock-forgets-the-head',
    about: 'versions come from the clock of the process, whatever others have written',
    violates: [2, 8],
    under: 'rivals with other clocks',
    patches: [
      {
        file: 'plan/recording.ts',
        find: 'return sendHlc(last, clock.wallMs, clock.node);',
        replace: 'return (own = sendHlc(own ?? { ...last, ms: 0 }, clock.wallMs, clock.node));',
      },
      {
        file: 'plan/recording.ts',
        find: 'function nextHlc(',
        replace: 'let own: Hlc | undefined;\nfunction nextHlc(',
      },
    ],
  },
];
