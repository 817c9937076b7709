import type { RuleMutant } from '../mutant';

const SPEC = { file: 'libs/sync/src/plan/patch.spec.ts', tests: '' };
const JUDGE = { file: 'libs/sync/src/plan/judge.spec.ts', tests: '' };
/** Devices and the app that patch, and a model of them. */
const MODEL = { file: 'libs/sync/src/plan/fleet.spec.ts', tests: '' };
const WIRE = { file: 'libs/protocol/src/patch.spec.ts', tests: '' };
const documents = (tests: string) => ({ file: 'test/e2e/patch/patch-documents.e2e.ts', tests });

/** What a patch does, and when it conflicts. */
export const PATCH: readonly RuleMutant[] = [
  {
    name: 'inc-conflicts',
    about: 'a number that is added conflicts with another one',
    noticedBy: MODEL,
    patches: [
      {
        file: 'plan/patch.ts',
        find: 'export function setPaths({ set, unset }: PatchBody,',
        replace: 'export function setPaths({ set, unset, inc }: PatchBody,',
      },
      {
        file: 'plan/patch.ts',
        find: 'return [...Object.keys(set), ...unset].filter(',
        replace: 'return [...Object.keys(set), ...unset, ...Object.keys(inc)].filter(',
      },
    ],
  },
  {
    name: 'any-edit-conflicts',
    about: 'a patch conflicts wherever others have edited the document',
    noticedBy: SPEC,
    patches: [
      {
        file: 'plan/patch.ts',
        find: 'if (isDeepStrictEqual(before, now)) return false;',
        replace: 'if (isDeepStrictEqual(base, current)) return false;',
      },
    ],
  },
  {
    name: 'same-value-conflicts',
    about: 'two devices that set one field to the same value are in conflict',
    noticedBy: SPEC,
    patches: [
      {
        file: 'plan/patch.ts',
        find: ': !agrees(factsAt(facts, path), patch.set[path], undefined, now);',
        replace: ': true;',
      },
    ],
  },
  {
    name: 'no-base-no-conflict',
    about: 'what is set on a document that the log no longer knows conflicts with nothing',
    noticedBy: MODEL,
    patches: [
      {
        file: 'plan/patch.ts',
        find: 'if (!base) return new Set(paths);',
        replace: 'if (!base) return new Set();',
      },
    ],
  },
  {
    name: 'older-patch-wins',
    about: 'an older patch sets the fields that a newer edit has set',
    noticedBy: MODEL,
    patches: [
      {
        file: 'plan/patching.ts',
        find: 'compared?.hasBase ? withoutPaths(patch, conflicts) : undefined;',
        replace: 'compared?.hasBase ? patch : undefined;',
      },
    ],
  },
  {
    name: 'older-patch-without-base',
    about: 'an older patch without a base is applied as far as it commutes, instead of being stale',
    noticedBy: MODEL,
    patches: [
      {
        file: 'plan/patching.ts',
        find: 'compared?.hasBase ? withoutPaths(patch, conflicts) : undefined;',
        replace: 'withoutPaths(patch, conflicts);',
      },
    ],
  },
  {
    name: 'unset-ignored',
    about: 'fields that a patch removes stay',
    noticedBy: SPEC,
    patches: [
      {
        file: 'plan/patch.ts',
        find: 'for (const path of unset) this.change(path, false, () => undefined);',
        replace: '',
      },
    ],
  },
  {
    name: 'set-is-no-set',
    about: 'a value that a list holds is added to it once more',
    noticedBy: SPEC,
    patches: [{ file: 'plan/list-members.ts', find: 'if (held.has(member)) continue;', replace: '' }],
  },
  {
    name: 'remove-ignored',
    about: 'values that a patch removes from a list stay in it',
    noticedBy: SPEC,
    patches: [
      {
        file: 'plan/list-members.ts',
        find: 'return rest.length < list.length ? rest : undefined;',
        replace: 'return undefined;',
      },
    ],
  },
  {
    name: 'inc-of-text',
    about: 'a number is added to whatever stands there',
    noticedBy: SPEC,
    patches: [
      {
        file: 'plan/increment.ts',
        find: "return typeof wire === 'number' ? sumOf(wire + by) : notANumber();",
        replace: 'return sumOf(Number(wire) + by);',
      },
    ],
  },
  {
    name: 'inc-without-mutation-id',
    about: 'an addition needs no mutation_id, and a retry of it takes effect again',
    noticedBy: WIRE,
    patches: [
      {
        file: '../../protocol/src/patch.ts',
        find: '(commutes(patch) && !hasMutation\n',
        replace: '(commutes(patch) && !hasMutation && named.length === 0\n',
      },
    ],
  },
  {
    name: 'path-to-an-element',
    about: 'a path may lead to the element of a list',
    noticedBy: WIRE,
    patches: [
      {
        file: '../../protocol/src/patch.ts',
        find: 'if (steps.some((step) => /^\\d+$/.test(step)))',
        replace: "if (steps.includes('\\0'))",
      },
    ],
  },
  {
    name: 'patch-of-nothing',
    about: 'a patch of a document that does not exist is taken',
    noticedBy: JUDGE,
    patches: [
      {
        file: 'plan/judge.ts',
        find: "if (!current && change.operation === 'patch') return { kind: 'missing' };",
        replace: '',
      },
    ],
  },
  {
    name: 'patch-of-a-known-tombstone',
    about: 'a patch whose sender has seen the deletion is taken',
    noticedBy: JUDGE,
    patches: [
      {
        file: 'plan/judge.ts',
        find: 'return patches && current.deleted ? STAYS_DELETED : ACCEPT;',
        replace: 'return ACCEPT;',
      },
    ],
  },
  {
    name: 'resolver-drops-what-is-added',
    about: 'what a patch adds is lost where the resolver of the app decides about what it sets',
    noticedBy: documents('a resolver decides about what is set'),
    patches: [
      {
        file: 'plan/patching.ts',
        find: 'const rest = commutingPart(change.patch);',
        replace: 'const rest = settingPart(commutingPart(change.patch));',
      },
    ],
  },
  {
    name: 'patched-document-unjudged',
    about: 'nobody validates what a patch leaves',
    noticedBy: documents('by validators and hooks of the app'),
    patches: [
      {
        file: 'plan/patching.ts',
        find: 'return composed.ok ? form.verify(change, composed.document, content, current) : composed;',
        replace: 'return composed;',
      },
    ],
  },
  {
    name: 'patched-document-unbounded',
    about: 'a document grows beyond all limits, patch by patch',
    noticedBy: { file: 'test/e2e/patch/patch-limits.e2e.ts', tests: 'the document that a patch leaves' },
    patches: [
      {
        file: 'plan/patching.ts',
        find: 'return over ? { ok: false, rejection: over } : patched;',
        replace: 'return patched;',
      },
    ],
  },
  {
    name: 'second-patch-undoes-others',
    about: 'what a patch has left counts as known to its sender, with what others have written',
    noticedBy: MODEL,
    patches: [
      {
        file: 'plan/knowledge.ts',
        find: 'if (sawAll || !made) return made;',
        replace: 'return made;',
      },
    ],
  },
  {
    name: 'app-patch-conflicts',
    about: 'the app’s own patch is judged as one of a device that has seen nothing',
    noticedBy: MODEL,
    patches: [
      {
        file: 'plan/decide.ts',
        find: 'return { parent: found?.version ?? null, unseen: false, sent: undefined };',
        replace: 'return { parent: null, unseen: false, sent: undefined };',
      },
    ],
  },
  {
    name: 'app-patch-without-times',
    about: 'the app’s own patch leaves the times of the schema as they are',
    noticedBy: {
      file: 'test/e2e/app-writes/app-writes-patch.e2e.ts',
      tests: 'moves the times of a schema',
    },
    patches: [
      {
        file: 'plan/storing.ts',
        find: 'const isStamped = change.byServer && !change.patch;',
        replace: 'const isStamped = change.byServer;',
      },
    ],
  },
  {
    name: 'app-patch-asks-the-transform',
    about: 'the app’s own patch goes through what the app does with data of devices',
    noticedBy: {
      file: 'test/e2e/app-writes/app-writes-patch.e2e.ts',
      tests: 'keeps the schema and its times',
    },
    patches: [
      {
        file: 'app-writes/server-change.ts',
        find: 'rules: { ...collection.rules, preparesByApp: false },',
        replace: 'rules: collection.rules,',
      },
    ],
  },
];
