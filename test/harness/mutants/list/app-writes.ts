import type { Mutant } from '../mutant';

/** Invariant 11: what the app writes has all the others too. */
export const APP_WRITES: readonly Mutant[] = [
  {
    name: 'app-write-without-entry',
    about: 'a write of the app changes the document and leaves no log entry',
    violates: [11],
    under: 'calm',
    patches: [
      {
        file: 'app-writes/scope-writer.ts',
        find: 'await this.writer.write(session, plan);\n    this.heads.advance',
        replace: 'await this.writer.write(session, { ...plan, entries: [] });\n    this.heads.advance',
      },
    ],
  },
  {
    name: 'app-write-order-outside',
    about: 'a write of the app moves the head outside its transaction',
    violates: [2, 3, 11],
    under: 'slow commits',
    patches: [
      {
        file: 'app-writes/scope-heads.ts',
        find: 'await this.writer.moveHeads(session, moves);',
        replace: 'await this.writer.moveHeads(undefined, moves);',
      },
    ],
  },
  {
    name: 'app-write-never-committed',
    about: 'a write of the app is reported as done when its commit has failed',
    violates: [1, 11],
    under: 'failing commits',
    patches: [
      {
        file: 'app-writes/transaction-runner.ts',
        find: 'await commitUntil(session, deadline);',
        replace: 'await commitUntil(session, deadline).catch(() => undefined);',
      },
    ],
  },
];
