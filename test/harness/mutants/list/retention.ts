import type { Mutant } from '../mutant';

/** Invariant 7: a reader that comes too late learns that. */
export const RETENTION: readonly Mutant[] = [
  {
    name: 'entries-expire-without-floor',
    about: 'old entries vanish, as by a TTL index, and the floor stays where it was',
    violates: [3, 7],
    under: 'trimming',
    patches: [
      {
        file: 'retention/trimming-store.ts',
        find: "[{ $set: { floor: { $literal: entry.version }, floorSeq: { $literal: toSeq }, floorAt: '$$NOW' } }],",
        replace: "[{ $set: { floorAt: '$$NOW' } }],",
      },
      {
        file: 'retention/trim-once.ts',
        find: 'planDeletion(state, now, this.settings.trimGraceMs)',
        replace: 'planDeletion(state, now, 0)',
      },
    ],
  },
  {
    name: 'too-old-cursor-gets-a-page',
    about: 'a cursor below the floor is answered as if nothing were new',
    violates: [7],
    under: 'trimming',
    patches: [
      {
        file: 'pull/cursor.ts',
        find: 'if (since < head.floor) return TOO_OLD;',
        replace: "if (since < head.floor) return { at: 'head' };",
      },
    ],
  },
  {
    name: 'beginning-of-a-trimmed-log',
    about: 'a reader without a cursor gets what is left of the log as if it were all',
    violates: [3, 7],
    under: 'trimming',
    patches: [
      {
        file: 'pull/cursor.ts',
        find: "return head.floor > ZERO_VERSION ? TOO_OLD : { at: 'log', from: undefined, mustMeet: false };",
        replace: "return { at: 'log', from: undefined, mustMeet: false };",
      },
    ],
  },
  {
    name: 'unknown-cursor-gets-a-page',
    about: 'a cursor of another database is taken as if it were known',
    violates: [7],
    under: 'calm',
    patches: [
      {
        file: 'pull/cursor.ts',
        find: "if (look.mustMeet && !met) return 'unknown_cursor';",
        replace: '',
      },
      {
        file: 'pull/cursor.ts',
        find: 'if (!head || since > head.version) return UNKNOWN;',
        replace: "if (!head || since > head.version) return { at: 'head' };",
      },
    ],
  },
];
