import type { RuleMutant } from '../mutant';

const HASH = { file: 'libs/sync/src/push/body-hash.spec.ts', tests: '' };
const MODEL = { file: 'libs/sync/src/plan/planner.spec.ts', tests: 'does what a plain model does' };
const STORED = { file: 'test/e2e/push/stored-documents.e2e.ts', tests: '' };
const ids = (tests: string) => ({ file: 'test/e2e/push/mutation-identity.e2e.ts', tests });
const parents = (tests: string) => ({ file: 'test/e2e/push/parent-mutations.e2e.ts', tests });

const HASHED = 'return MARK + hashOf([collection, operation, doc_id], data, text);';
const HASHED_FROM = '{ collection, operation, doc_id, data }: PushChange,';

/** What is one mutation, what stands or falls together, and what builds on what. */
export const MUTATIONS: readonly RuleMutant[] = [
  ...(['hlc', 'parent_version'] as const).map((stamp): RuleMutant => ({
    name: `hash-counts-${stamp.replace('_', '-')}`,
    about: `a retry that has found out its ${stamp} again is another mutation`,
    noticedBy: HASH,
    patches: [
      {
        file: 'push/body-hash.ts',
        find: HASHED_FROM,
        replace: HASHED_FROM.replace('data }', `data, ${stamp} }`),
      },
      { file: 'push/body-hash.ts', find: HASHED, replace: HASHED.replace('doc_id]', `doc_id, ${stamp}]`) },
    ],
  })),
  {
    name: 'hash-counts-the-order-of-keys',
    about: 'a client that builds its JSON again has another mutation',
    noticedBy: HASH,
    patches: [
      {
        file: 'push/body-hash.ts',
        find: '(isSorted(data) ? text : JSON.stringify(sorted(data)));',
        replace: 'text;',
      },
    ],
  },
  {
    name: 'hash-of-earlier-versions-unknown',
    about: 'a retry of what an earlier version has taken is refused',
    noticedBy: ids('also of receipts that an earlier version has left'),
    patches: [
      {
        file: 'plan/receipts.ts',
        find: 'return hash === own || hasFormerHash?.(hash) === true;',
        replace: 'return hash === own;',
      },
    ],
  },
  {
    name: 'drift-leaves-a-receipt',
    about: 'a change that was refused for its stamp can never be stamped again under its id',
    noticedBy: MODEL,
    patches: [{ file: 'plan/receipts.ts', find: "  'clock_drift',\n", replace: '' }],
  },
  {
    name: 'no-first-answer',
    about: 'who has used an id twice is not told what became of the first mutation',
    noticedBy: ids('and an id that another change has tells'),
    patches: [{ file: 'plan/decisions.ts', find: ', first: receipt };', replace: ' };' }],
  },
  {
    name: 'first-answer-of-a-secret',
    about: 'the first answer names a document of a collection that may not be read any more',
    noticedBy: ids('and an id that another change has tells'),
    patches: [{ file: 'push/answers.ts', find: '...(mayRead ? { doc_id } : {}),', replace: 'doc_id,' }],
  },
  {
    name: 'no-echo',
    about: 'an entry does not say which client pushed it',
    noticedBy: STORED,
    patches: [
      {
        file: 'plan/recording.ts',
        find: 'client_id: change.byServer ? undefined : clientId,',
        replace: 'client_id: change.byServer ? clientId : undefined,',
      },
    ],
  },
  {
    name: 'nothing-new-is-an-entry',
    about: 'an upsert of what stands already is told to all readers',
    noticedBy: MODEL,
    patches: [
      {
        file: 'plan/storing.ts',
        find: 'return isSame(rules.form?.facts ?? NO_FACTS, document, current.fields);',
        replace: 'return false;',
      },
    ],
  },
  {
    name: 'group-ignored',
    about: 'the changes of a group stand or fall each by itself',
    noticedBy: MODEL,
    patches: [{ file: 'plan/units.ts', find: 'isWhole: group !== undefined,', replace: 'isWhole: false,' }],
  },
  {
    name: 'group-takes-others-along',
    about: 'a group that falls takes back what came before it in the push',
    noticedBy: MODEL,
    patches: [
      {
        file: 'plan/units.ts',
        find: 'const layer = isBatch ? below : below.layer();',
        replace: 'const layer = below;',
      },
      { file: 'plan/units.ts', find: 'if (!isBatch) below.absorb(layer);', replace: '' },
    ],
  },
  {
    name: 'fallen-group-forgotten',
    about: 'a later change of a document brings in half of what was refused with its group',
    noticedBy: MODEL,
    patches: [{ file: 'plan/units.ts', find: 'if (key !== undefined) fallen.add(key);', replace: '' }],
  },
  {
    name: 'group-comes-back',
    about: 'a group may end and come back in one push',
    noticedBy: { file: 'test/e2e/push/groups.e2e.ts', tests: 'groups of a push' },
    patches: [
      {
        file: '../../protocol/src/push.ts',
        find: 'if (seen.has(group))',
        replace: 'if (seen.size > changes.length)',
      },
    ],
  },
  {
    name: 'child-of-a-refused-one',
    about: 'a change is taken that builds on a mutation which was refused',
    noticedBy: MODEL,
    patches: [{ file: 'plan/parent.ts', find: "if (status === 'rejected') return REFUSED;", replace: '' }],
  },
  {
    name: 'child-of-nobody',
    about: 'a change is taken that builds on a mutation which never came',
    noticedBy: MODEL,
    patches: [{ file: 'plan/parent.ts', find: 'return UNKNOWN;', replace: 'return undefined;' }],
  },
  {
    name: 'child-of-another-document',
    about: 'a change may build on a mutation of another document',
    noticedBy: MODEL,
    patches: [{ file: 'plan/parent.ts', find: 'return OTHER_DOCUMENT;', replace: 'return undefined;' }],
  },
  {
    name: 'child-undoes-others',
    about: 'a change is merged from what the server made of its parent, which its device has not seen',
    noticedBy: parents('is merged from what was sent then'),
    patches: [
      {
        file: 'plan/lineage.ts',
        find: "return { parent: version, unseen: status === 'conflict_resolved', sent: undefined, difference };",
        replace: 'return { parent: version, unseen: false, sent: undefined };',
      },
    ],
  },
  {
    name: 'child-is-stale',
    about: 'a change is stale against the mutation that it builds on',
    noticedBy: parents('is not stale against that'),
    patches: [
      {
        file: 'plan/parent.ts',
        find: 'lineage.adopt(change, version, receipt, patch && knowledgeOfReceipt(planning, change, version, patch));',
        replace: '',
      },
    ],
  },
  {
    name: 'parents-in-a-circle',
    about: 'mutations may build on each other in a circle',
    noticedBy: parents('builds on no other document'),
    patches: [
      {
        file: '../../protocol/src/push.ts',
        find: 'const parsed = withoutCircles(changes.map(parseChange));',
        replace: 'const parsed = changes.map(parseChange);',
      },
    ],
  },
  {
    name: 'refusal-without-document',
    about: 'a rejected change does not show the document as it stands',
    noticedBy: STORED,
    patches: [
      {
        file: 'plan/units.ts',
        find: 'isRefusal(decision) && decision.server_version === null',
        replace: 'isRefusal(decision) && decision.code === null',
      },
    ],
  },
  {
    name: 'return-ignored',
    about: 'an accepted change does not show the document that it asked for',
    noticedBy: STORED,
    patches: [
      {
        file: 'plan/storing.ts',
        find: "change.returns && status === 'accepted' ? { standing: standingOf(state) } : {};",
        replace: '{};',
      },
    ],
  },
  {
    name: 'change-kept-quiet',
    about: 'nobody is told that the stored document is another one than was sent',
    noticedBy: STORED,
    patches: [{ file: 'plan/storing.ts', find: '...(isChanged ? { changed: true } : {}),', replace: '' }],
  },
];
