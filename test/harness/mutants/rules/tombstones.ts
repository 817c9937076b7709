import type { RuleMutant } from '../mutant';

/** Tombstones that are gone, and what has to stay true then. */
export const TOMBSTONES: readonly RuleMutant[] = [
  {
    name: 'removed-tombstone-forgotten',
    about:
      'a late change of a document whose tombstone is gone counts as a new document, whatever the policy',
    patches: [
      {
        file: 'plan/decide.ts',
        find: 'const found = stored ?? layer.forgotten(request.scopeId, ancestry.parent);',
        replace: 'const found = stored;',
      },
    ],
    noticedBy: { file: 'libs/sync/src/plan/forgotten.spec.ts', tests: 'has not seen the delete' },
  },
  {
    name: 'tombstones-removed-without-note',
    about: 'tombstones go, and the head does not say so',
    patches: [
      {
        file: 'retention/tombstones.ts',
        find: '{ $max: { tombstoneFloor: version } },',
        replace: '{ $set: { floor: version } },',
      },
    ],
    noticedBy: {
      file: 'test/e2e/retention/tombstones.e2e.ts',
      tests: 'stays deleted where the policy says so',
    },
  },
  {
    name: 'removal-takes-what-was-brought-back',
    about: 'the removal does not ask again whether it is the tombstone that was found',
    patches: [
      {
        file: 'retention/tombstones.ts',
        find: 'store.deleteMany(tombstones(scope, last ?? version), BY_VERSION),',
        replace: 'store.deleteMany({ [SYNC_FIELDS.scope]: scope }),',
      },
    ],
    noticedBy: { file: 'test/e2e/retention/tombstones.e2e.ts', tests: 'never takes a document away' },
  },
  {
    name: 'tombstones-above-the-floor-removed',
    about: 'age alone decides: a tombstone goes while its entry is in the log',
    patches: [
      {
        file: 'retention/trim-plan.ts',
        find: 'return floor < old ? floor : old;',
        replace: 'return old;',
      },
      {
        file: 'retention/tombstones.ts',
        find: '{ _id: scope, floor: { $gte: version } },',
        replace: '{ _id: scope },',
      },
    ],
    noticedBy: { file: 'test/e2e/retention/tombstones.e2e.ts', tests: 'old enough, and no others' },
  },
  {
    name: 'digest-counts-what-may-be-gone',
    about: 'the digest counts tombstones that are due, as long as they are there',
    patches: [
      {
        file: 'full/digest.service.ts',
        find: 'if (isDeleted && this.tombstoneFloor !== null && version <= this.tombstoneFloor) continue;',
        replace: '',
      },
    ],
    noticedBy: { file: 'test/e2e/retention/tombstones.e2e.ts', tests: 'may be broken off anywhere' },
  },
];
