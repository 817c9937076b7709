import type { Mutant } from '../mutant';

/** What the wire has beyond its first version: patches, parents, groups, echoes, digests, scopes, pushes over the socket. */
export const NEWER_WIRE: readonly Mutant[] = [
  {
    name: 'counting-sets',
    about: 'inc sets the number instead of adding to what stands: what others have added is lost',
    violates: [3],
    under: 'calm',
    patches: [
      {
        file: 'plan/patch.ts',
        find: 'const sum = increment(stored, wire, inc[path] ?? 0);',
        replace: 'const sum = increment(undefined, 0, inc[path] ?? 0);',
      },
    ],
  },
  {
    name: 'counting-twice',
    about: 'inc adds its number twice',
    violates: [4],
    under: 'calm',
    patches: [
      {
        file: 'plan/patch.ts',
        find: 'const sum = increment(stored, wire, inc[path] ?? 0);',
        replace: 'const sum = increment(stored, wire, 2 * (inc[path] ?? 0));',
      },
    ],
  },
  {
    name: 'adding-replaces',
    about: 'add makes a list of its own values alone: what others have added is lost',
    violates: [3],
    under: 'calm',
    patches: [
      {
        file: 'plan/patch.ts',
        find: 'const list = wire === undefined ? [] : listAt(path, wire);',
        replace: 'const list = wire === undefined || adds ? [] : listAt(path, wire);',
      },
    ],
  },
  {
    name: 'counting-conflicts',
    about: 'a patch is judged by its parent alone, also where it only adds and counts',
    violates: [10],
    under: 'calm',
    patches: [
      {
        file: 'plan/patching.ts',
        find: "{ operation: 'patch', parent, hlc, unseen, apart: conflicts.size === 0 },",
        replace: "{ operation: 'patch', parent, hlc, unseen, apart: false },",
      },
    ],
  },
  {
    name: 'refused-parent-ignored',
    about: 'a change is taken although the mutation that it builds on was refused, or never arrived',
    violates: [1],
    under: 'calm',
    patches: [
      {
        file: 'plan/parent.ts',
        find: '    mutations.leavesOut = true;\n    return UNKNOWN;',
        replace: '    return undefined;',
      },
      {
        file: 'plan/parent.ts',
        find: "if (status === 'rejected') return REFUSED;",
        replace: "if (status === 'rejected') return undefined;",
      },
    ],
  },
  {
    name: 'taken-parent-refused',
    about: 'a change is refused although the mutation that it builds on was taken',
    violates: [10],
    under: 'calm',
    patches: [
      {
        file: 'plan/parent.ts',
        find: "if (status === 'rejected') return REFUSED;",
        replace: 'return REFUSED;',
      },
    ],
  },
  {
    name: 'change-after-fallen-group',
    about: 'a change of a document that a rolled back group of the push has touched is taken',
    violates: [1],
    under: 'calm',
    patches: [
      {
        file: 'plan/units.ts',
        find: 'if (key !== undefined) fallen.add(key);',
        replace: 'if (key === undefined) fallen.add(key);',
      },
    ],
  },
  {
    name: 'echo-of-nobody',
    about: 'entries do not say which mutation they are',
    violates: [1],
    under: 'calm',
    patches: [
      {
        file: 'plan/recording.ts',
        find: 'mutation_id: change.mutation?.id,',
        replace: 'mutation_id: undefined,',
      },
    ],
  },
  {
    name: 'digest-of-tombstones',
    about: 'a digest counts deleted documents among the live ones',
    violates: [6],
    under: 'calm',
    patches: [
      {
        file: 'full/digest.service.ts',
        find: 'const sum = isDeleted ? deleted : live;',
        replace: 'const sum = live;',
      },
    ],
  },
  {
    name: 'scope-answer-kept',
    about: 'what the app once said of a scope is kept: who is put out of it goes on reading',
    violates: [5],
    under: 'calm',
    patches: [
      {
        file: 'identity/scope-access.ts',
        find: 'const level = await this.level(own, scope);\n    if',
        replace: `const kept = ((this as unknown as { kept?: Map<string, AccessLevel> }).kept ??= new Map());
    const key = JSON.stringify([own.actorId, own.scopeId, scope]);
    const level = kept.get(key) ?? (await this.level(own, scope));
    if (level !== 'none') kept.set(key, level);
    if`,
      },
    ],
  },
  {
    name: 'socket-with-codes-of-its-own',
    about: 'a push that is refused over the socket has another code than over HTTP',
    violates: [10],
    under: 'calm',
    patches: [
      {
        file: 'ws/socket-pushes.ts',
        find: 'return pushFailedText(id, told, retryAfter(told));',
        replace: "return pushFailedText(id, Object.assign(told, { code: 'internal' }), retryAfter(told));",
      },
    ],
  },
  {
    name: 'asked-document-not-shown',
    about: 'an answer does not hold the document, though the change asked for it',
    violates: [10],
    under: 'calm',
    patches: [
      {
        file: 'plan/storing.ts',
        find: "change.returns && status === 'accepted' ?",
        replace: "change.returns && status !== 'accepted' ?",
      },
    ],
  },
];
