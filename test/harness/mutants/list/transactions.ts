import type { Mutant, Patch } from '../mutant';

/** Invariant 1: document, entry, receipt and head commit together, and before the answer. */
/** A group's answers are given when it is written: its `resolve` travels with the requests. */
const ANSWERS_EARLY: readonly Patch[] = [
  {
    file: 'commit/committer.ts',
    find: 'async commit(requests: readonly PlanRequest[], deadline: number): Promise<Committed> {',
    replace:
      'async commit(requests: readonly PlanRequest[], deadline: number, early: (plan: Plan) => void): Promise<Committed> { Object.assign(requests, { early });',
  },
  {
    file: 'commit/committer.ts',
    find: 'await commitUntil(session, deadline);\n      return plan;',
    replace: 'requests.early(plan);\n        await commitUntil(session, deadline);\n        return plan;',
  },
  {
    file: 'push/queue.ts',
    find: 'Math.max(...jobs.map((job) => job.deadline)),\n      );',
    replace: `Math.max(...jobs.map((job) => job.deadline)),
    (early) => jobs.forEach((job, index) => job.resolve(early.outcomes[index])),
  );`,
  },
];

export const TRANSACTIONS: readonly Mutant[] = [
  {
    name: 'answers-before-commit',
    about: 'a group of pushes is answered when it is written, and committed afterwards',
    violates: [1],
    under: 'failing commits',
    patches: ANSWERS_EARLY,
  },
  {
    name: 'answers-before-slow-commit',
    about: 'the same, and every commit succeeds: an answer only comes before its commit',
    violates: [1, 3],
    under: 'slow commits',
    patches: ANSWERS_EARLY,
  },
  {
    name: 'batch-stands-in-part',
    about: 'a batch that is answered as rolled back leaves the changes that were good',
    violates: [1],
    under: 'calm',
    patches: [
      {
        file: 'plan/units.ts',
        find: '  layer.rollBack();\n',
        replace: '',
      },
    ],
  },
  {
    name: 'groups-ignored',
    about: 'every change of a group is independent',
    violates: [1],
    under: 'calm',
    patches: [
      {
        file: 'plan/units.ts',
        find: 'isWhole: group !== undefined, group };',
        replace: 'isWhole: false, group };',
      },
    ],
  },
  {
    name: 'batch-ignored',
    about: 'every change of a batch is independent',
    violates: [1],
    under: 'calm',
    patches: [
      {
        file: 'plan/units.ts',
        find: 'const falls = decisions.some(',
        replace: 'const falls = false && decisions.some(',
      },
    ],
  },
  {
    name: 'entry-outside-transaction',
    about: 'log entries are inserted outside the transaction, and stay when it fails',
    violates: [1, 2],
    under: 'failing commits',
    patches: [
      {
        file: 'commit/plan-writer.ts',
        find: 'await insertAll(this.target(this.oplog.entries), entries, sizeAt, session)',
        replace: 'await insertAll(this.target(this.oplog.entries), entries, sizeAt, undefined)',
      },
      {
        file: 'database/indexes.ts',
        find: '{ key: { scope: 1, seq: 1 }, unique: true }',
        replace: '{ key: { scope: 1, seq: 1 } }',
      },
    ],
  },
];
