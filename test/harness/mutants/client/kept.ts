import { client, type ClientMutant } from './mutant';

/** What was promised is kept, and taken once. */
export const KEPT: readonly ClientMutant[] = [
  {
    name: 'edits-after-the-count-go-with-a-logout',
    breaks: ['C1', 'C8'],
    about: 'an edit that is made while its user leaves is promised, and removed',
    noticedBy: { file: 'libs/client/src/two-users.spec.ts', tests: 'late: false.*unsent: refuse' },
    patches: [client('client.ts', '  await each((replica) => replica.seal(true));\n', '')],
  },
  {
    name: 'logout-forgets-what-it-keeps',
    breaks: ['C1'],
    about: 'a logout that keeps unsent edits removes the database with them',
    noticedBy: { file: 'libs/client/src/two-users.spec.ts', tests: 'late: false.*unsent: keep' },
    patches: [client('client.ts', '      if (!keeps) gone.push(session);', '      gone.push(session);')],
  },
  {
    name: 'retry-under-another-id',
    breaks: ['C2'],
    about: 'what is sent again has another mutation_id',
    noticedBy: {
      file: 'libs/client/src/sequences.spec.ts',
      tests: 'subtracts once, though the answer was lost',
    },
    patches: [
      client(
        'pushing.ts',
        "each.state === 'sent' ? each : frozen(each, outbox",
        "each.state === 'sent' && each.sent\n          ? { ...each, sent: { ...each.sent, change: { ...each.sent.change, mutation_id: `${each.id}${String(deviceNow)}` } } }\n          : frozen(each, outbox",
      ),
    ],
  },
  {
    name: 'another-installation-with-each-start',
    breaks: ['C2', 'C8'],
    about: 'client_id is another one after each start, so receipts of before are not found',
    noticedBy: { file: 'libs/client/src/two-users.spec.ts', tests: 'late: false.*unsent: keep' },
    patches: [
      client(
        'replica.ts',
        '      return [known ?? fresh, await all.range()] as const;',
        '      return [fresh, await all.range()] as const;',
      ),
    ],
  },
  {
    name: 'refused-edit-vanishes',
    breaks: ['C3'],
    about: 'what the server refuses is dropped, and all looks well',
    noticedBy: {
      file: 'libs/client/src/testing/fake-server.spec.ts',
      tests: 'puts what the server refuses into quarantine',
    },
    patches: [
      client('work.ts', '    await this.stores.rejected.put(entry.id, { ...entry, changes });\n', ''),
    ],
  },
  {
    name: 'refused-without-theirs',
    breaks: ['C3'],
    about: 'the quarantine does not say what the server has',
    noticedBy: {
      file: 'libs/client/src/sequences.spec.ts',
      tests: 'takes the later edit of the document along, though',
    },
    patches: [
      client(
        'rules/disposition.ts',
        '...(answer?.server_document === undefined ? {} : { theirs: answer.server_document?.data ?? null }),',
        '',
      ),
    ],
  },
  {
    name: 'edit-stays-on-top-for-ever',
    breaks: ['C4'],
    about: 'what was taken hides what others make of it later',
    noticedBy: {
      file: 'libs/client/src/sequences.spec.ts',
      tests: 'adds to what the user saw, not to what came',
    },
    patches: [
      client(
        'work.ts',
        'nextChain.length === 0 ? view.delete(collection, id) : view.put(collection, id, row)',
        'view.put(collection, id, row)',
      ),
    ],
  },
  {
    name: 'cursor-before-its-entries',
    breaks: ['C5'],
    about: 'the cursor is stored in a transaction of its own, before what it stands for',
    noticedBy: { file: 'libs/client/src/crash-points.spec.ts', tests: 'read' },
    patches: [
      client(
        'reading.ts',
        '    if (position.load || position.cursor !== since) return false;',
        '    if (position.load) return false;',
      ),
      client(
        'reading.ts',
        '  const answered = replica.answered();\n',
        "  const answered = replica.answered();\n  await replica.database.transaction('write', ['meta'], async ({ meta }) => {\n    const before = await readMeta(meta, 'position');\n    if (!before.load) await writeMeta(meta, 'position', { ...before, cursor });\n  });\n",
      ),
    ],
  },
  {
    name: 'older-row-replaces-newer',
    breaks: ['C6', 'R3', 'row: the view goes back'],
    about: 'what is read late replaces what an answer has brought',
    noticedBy: { file: 'libs/client/src/sequences.spec.ts', tests: 'shows no older state after it' },
    patches: [client('work.ts', '    if (isNewer) held.nextBase = row;\n', '    held.nextBase = row;\n')],
  },
  {
    name: 'transaction-in-pieces',
    breaks: ['C7'],
    about: 'a transaction goes as single changes',
    noticedBy: {
      file: 'libs/client/src/sequences.spec.ts',
      tests: 'takes what stands on a transaction that was refused',
    },
    patches: [
      client(
        'rules/push-plan.ts',
        '    ...(isAlone || mutation.tx === undefined ? {} : { group: mutation.tx }),\n',
        '',
      ),
    ],
  },
  {
    name: 'out-of-order',
    breaks: ['C7', 'R4'],
    about: 'of a document several mutations go in one push',
    noticedBy: { file: 'libs/client/src/rules/push-plan.spec.ts', tests: 'sends each document once' },
    patches: [
      client('rules/push-plan.ts', '      keys.every((key) => !held.has(key));', '      keys.length > 0;'),
    ],
  },
];
