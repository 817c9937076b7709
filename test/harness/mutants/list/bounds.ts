import type { Mutant } from '../mutant';

/** Invariants 8, 9 and 10: bounded clock, bounded memory, an answer for each change. */
export const BOUNDS: readonly Mutant[] = [
  {
    name: 'clock-drift-unchecked',
    about: 'a stamp of next year is as good as any',
    violates: [8],
    under: 'calm',
    patches: [
      {
        file: 'plan/stamps.ts',
        find: 'hlc !== undefined && isTooFarAhead(',
        replace: 'false && isTooFarAhead(',
      },
    ],
  },
  {
    name: 'changes-uncounted',
    about: 'a push may hold any number of changes',
    violates: [9],
    under: 'calm',
    patches: [
      {
        file: '../../protocol/src/push.ts',
        find: 'if (changes.length > maxChanges)',
        replace: 'if (changes.length < 0)',
      },
    ],
  },
  {
    name: 'limit-unchecked',
    about: 'a page may have any number of rows',
    violates: [9],
    under: 'calm',
    patches: [
      {
        file: '../../protocol/src/read-query.ts',
        find: 'limit < range.min || limit > range.max)',
        replace: 'limit < range.min)',
      },
    ],
  },
  {
    name: 'one-bad-change-fails-all',
    about: 'a rejected change takes its push with it, even if each change is independent',
    violates: [10],
    under: 'calm',
    patches: [
      {
        file: 'plan/units.ts',
        find: "if (atomic === 'batch') {",
        replace: 'if (changes.length > 0) {',
      },
    ],
  },
  {
    name: 'rejection-without-code',
    about: 'a rejection says nothing that a client could act on',
    violates: [10],
    under: 'calm',
    patches: [
      {
        file: 'plan/decisions.ts',
        find: 'code,\n    error: message,',
        replace: 'code: null,\n    error: message,',
      },
    ],
  },
  {
    name: 'bad-change-is-an-error',
    about: 'a change that cannot be taken ends its request with 500',
    violates: [10],
    under: 'calm',
    patches: [
      {
        file: 'push/intake.ts',
        find: 'if (!collection) {',
        replace: "if (!collection) throw new Error('no such collection');\n      if (!collection) {",
      },
    ],
  },
];
