import { client, type ClientMutant } from './mutant';

/** The rules R1 to R9, and the sequences in which an earlier client lost or doubled edits. */
export const RULES: readonly ClientMutant[] = [
  {
    name: 'edit-on-what-is-not-shown',
    breaks: ['C16', 'R1', 'row: coalesced'],
    about: 'an edit is made on the newest document, not on the one that is shown',
    noticedBy: {
      file: 'libs/client/src/rules/chain.spec.ts',
      tests: 'says by its mutations what the user did',
    },
    patches: [
      client(
        'rules/chain.ts',
        '  return last ? last.after : (base?.data ?? null);',
        '  return base?.data ?? last?.after ?? null;',
      ),
    ],
  },
  {
    name: 'sent-words-change',
    breaks: ['C2', 'R1', 'row: lost answer'],
    about: 'an edit becomes part of one that was sent',
    noticedBy: { file: 'libs/client/src/rules/chain.spec.ts', tests: 'never changes what was sent' },
    patches: [
      client(
        'rules/chain.ts',
        "  const isFresh = last.state === 'waiting' && last.returns === 0",
        '  const isFresh = last.returns === 0',
      ),
    ],
  },
  {
    name: 'new-pin-over-others',
    breaks: ['R2', 'row: conflict is told'],
    about: 'an edit is made one of the newest version though others have changed the same field',
    noticedBy: { file: 'libs/client/src/rules/chain.spec.ts', tests: 'is for what others have not touched' },
    patches: [client('rules/chain.ts', '  if (touches(change.patch, before, now)) return undefined;\n', '')],
  },
  {
    name: 'no-new-pin',
    breaks: ['R2'],
    about: 'while somebody types, what others write is never seen',
    noticedBy: {
      file: 'libs/client/src/rules/chain.spec.ts',
      tests: 'goes when the next one no longer stands on it',
    },
    patches: [
      client(
        'rules/chain.ts',
        '  if (open > 0 && rest.length === 1) {',
        '  if (open > 1 && rest.length === 0) {',
      ),
    ],
  },
  {
    name: 'answered-is-finished',
    breaks: ['R3', 'C6', 'row: the view goes back'],
    about: 'an edit is over with its answer, and the document jumps back until its entry comes',
    noticedBy: { file: 'libs/client/src/rules/chain.spec.ts', tests: 'the base is older' },
    patches: [
      client(
        'rules/chain.ts',
        '  if (base) return base.version !== null && base.version >= answer.version;',
        '  if (base) return true;',
      ),
    ],
  },
  {
    name: 'unreadable-is-gone',
    breaks: ['R3', 'row: may write and not read'],
    about: 'a document that may be written and not read vanishes with its answer',
    noticedBy: {
      file: 'libs/client/src/sequences.spec.ts',
      tests: 'keeps a document that may be written and not read',
    },
    patches: [
      client(
        'pushing.ts',
        '  } else if (!isReadable && version !== null)',
        "  } else if (!isReadable && version === '')",
      ),
    ],
  },
  {
    name: 'new-with-the-old',
    breaks: ['R4'],
    about: 'new mutations go while older ones have no answer',
    noticedBy: { file: 'libs/client/src/rules/push-plan.spec.ts', tests: 'sends each document once' },
    patches: [
      client(
        'rules/push-plan.ts',
        "(each.state === 'sent') === isRetry && !isParked(each)",
        '!isParked(each)',
      ),
    ],
  },
  {
    name: 'each-edit-its-own-entry',
    breaks: ['R4', 'row: two hundred edits'],
    about: 'nothing is coalesced',
    noticedBy: { file: 'libs/client/src/sequences.spec.ts', tests: 'makes two entries of two hundred edits' },
    patches: [
      client(
        'rules/chain.ts',
        '  return isFresh && last.tx === tx && (coalesce || tx !== undefined);',
        '  return isFresh && last.tx === tx && coalesce && tx !== undefined;',
      ),
    ],
  },
  {
    name: 'refused-alone',
    breaks: ['R5', 'row: refused field'],
    about: 'a later edit brings the refused field into the document',
    noticedBy: { file: 'libs/client/src/sequences.spec.ts', tests: 'leaves no field of a refused edit' },
    patches: [
      client(
        'rules/disposition.ts',
        '  return outbox.filter((each) => fallen.has(each.seq));',
        '  return outbox.filter((each) => refused.some(({ seq }) => seq === each.seq));',
      ),
    ],
  },
  {
    name: 'refused-transaction-stands-in-part',
    breaks: ['R5', 'row: a transaction is refused'],
    about: 'what stands on another document of a refused transaction goes on',
    noticedBy: { file: 'libs/client/src/rules/push-plan.spec.ts', tests: 'lets fall what stands on' },
    patches: [client('rules/disposition.ts', '      grounds.add(keyOf(each));\n', '')],
  },
  {
    name: 'stamped-when-sent',
    breaks: ['R6', 'row: later edit wins'],
    about: 'the stamp of an edit is the time of its sending',
    noticedBy: { file: 'libs/client/src/sequences.spec.ts', tests: 'lets the later edit win' },
    patches: [
      client(
        'rules/clock.ts',
        'deviceNow + offset - Math.max(0, deviceNow - editedAt)',
        'deviceNow + offset',
      ),
    ],
  },
  {
    name: 'own-clock',
    breaks: ['R6', 'row: three minutes fast'],
    about: 'a stamp is by the clock of the device',
    noticedBy: {
      file: 'libs/client/src/sequences.spec.ts',
      tests: 'takes the edit of a device whose clock is',
    },
    patches: [
      client(
        'rules/clock.ts',
        'deviceNow + offset - Math.max(0, deviceNow - editedAt)',
        'deviceNow - Math.max(0, deviceNow - editedAt)',
      ),
    ],
  },
  {
    name: 'stamp-below-what-was-seen',
    breaks: ['R6'],
    about: 'the stamp of an edit may be older than what it was made on',
    noticedBy: { file: 'libs/client/src/rules/timing.spec.ts', tests: 'is the server’s time of the edit' },
    patches: [
      client('rules/clock.ts', '  const floor = [seen, last].reduce', '  const floor = [last].reduce'),
    ],
  },
  {
    name: 'cursor-kept-in-a-load',
    breaks: ['R7'],
    about: 'the old cursor counts while everything is loaded again',
    noticedBy: { file: 'libs/client/src/rules/timing.spec.ts', tests: 'gives its cursor up' },
    patches: [
      client(
        'rules/reader-state.ts',
        '  return { generation: generation + 1, isComplete, load };',
        "  return { generation: generation + 1, isComplete, cursor: '9', load };",
      ),
    ],
  },
  {
    name: 'answer-to-what-was-answered',
    breaks: ['R8', 'row: first request arrives late'],
    about: 'an answer counts though its mutation was answered in another tab',
    noticedBy: { file: 'libs/client/src/crash-points.spec.ts', tests: 'second answer' },
    patches: [
      client(
        'pushing.ts',
        "now_?.id === each.id && now_.state === 'sent' ? [now_] : []",
        'now_ ? [now_] : []',
      ),
    ],
  },
  {
    name: 'sum-joins-with-value',
    breaks: ['R9'],
    about: 'what adds becomes part of what may be refused',
    noticedBy: {
      file: 'libs/client/src/rules/fields.spec.ts',
      tests: 'never joins what adds with what sets',
    },
    patches: [
      client(
        'rules/fields.ts',
        '  if (adds(first) !== adds(second) || sets(first) !== sets(second) || (adds(first) && sets(first)))\n    return undefined;\n',
        '',
      ),
    ],
  },
  {
    name: 'parent-moves',
    breaks: ['C16', 'R1', 'row: coalesced'],
    about: 'an edit on top of an unfinished one says that it was made on the newest version',
    noticedBy: { file: 'libs/client/src/rules/chain.spec.ts', tests: 'has the parent of its chain' },
    patches: [
      client(
        'rules/chain.ts',
        '  const parent = last ? last.parent : (base?.version ?? null);',
        '  const parent = base?.version ?? null;',
      ),
    ],
  },
  {
    name: 'rolled-back-under-a-new-id',
    breaks: ['R8', 'row: first request arrives late'],
    about: 'what was rolled back is tried again under new ids, so its first request can take effect too',
    noticedBy: { file: 'libs/client/src/rejected.spec.ts', tests: 'keeps the id of what was rolled back' },
    patches: [
      client(
        'rejected.ts',
        '(each.rolledBack ? each.mutation : randomId(environment))',
        '(each.rolledBack ? randomId(environment) : randomId(environment))',
      ),
    ],
  },
  {
    name: 'lost-by-a-restore',
    breaks: ['C1', 'R7'],
    about: 'what a restored database has lost is not sent again',
    noticedBy: {
      file: 'libs/client/src/sequences.spec.ts',
      tests: 'sends again what the restored database has lost',
    },
    patches: [
      client('reading.ts', '    if (isRestored) await doubtAnswered(work);\n', ''),
      client(
        'reading.ts',
        '    if (answered.some((each) => isLost(',
        "    if (answered.some((each) => each.id === '' && isLost(",
      ),
    ],
  },
];
