import type { Mutant } from '../mutant';

const RECEIPTS_WRITE = 'const report = await insertAll(target, receipts, charsOf(receipts), session);';

/** Invariant 4: a mutation takes effect at most once, and its retry gets the first answer. */
export const RECEIPTS: readonly Mutant[] = [
  {
    name: 'no-receipts',
    about: 'nothing is kept of a mutation: its retry is a new change',
    violates: [4],
    under: 'calm',
    patches: [
      {
        file: 'commit/plan-writer.ts',
        find: 'if (plan.receipts.length > 0) await',
        replace: 'if (plan.receipts.length < 0) await',
      },
    ],
  },
  {
    name: 'refusals-forgotten',
    about:
      'a batch that is rolled back leaves no receipt of what was refused: its late duplicate is judged again',
    violates: [4],
    under: 'calm',
    patches: [
      {
        file: 'plan/units.ts',
        find: 'if (!isUndone && !replayed) keepReceipt(',
        replace: 'if (isUndone && replayed) keepReceipt(',
      },
    ],
  },
  {
    name: 'receipts-before-commit',
    about: 'receipts are kept before the commit, so that a retry is answered for what never happened',
    violates: [1, 4],
    under: 'failing commits',
    patches: [
      {
        file: 'commit/plan-writer.ts',
        find: RECEIPTS_WRITE,
        replace: RECEIPTS_WRITE.replace(', session)', ', undefined)'),
      },
    ],
  },
  {
    name: 'receipt-of-the-batch',
    about: 'a mutation that is sent again with others is taken for a different one',
    violates: [4],
    under: 'calm',
    patches: [
      {
        file: 'commit/snapshot.ts',
        find: 'if (keys.length === 0) return new Map();',
        replace: 'if (keys.length !== 1) return new Map();',
      },
      {
        file: 'commit/plan-writer.ts',
        find: RECEIPTS_WRITE,
        replace: `if (receipts.length > 1)
      return void (await this.oplog.receipts.bulkWrite(
        receipts.map((receipt) => ({ replaceOne: { filter: { _id: receipt._id }, replacement: receipt, upsert: true } })),
        { session },
      ));
    ${RECEIPTS_WRITE}`,
      },
    ],
  },
];
