import type { CollectionRules } from './conflict';
import { isNewer, judge, type CurrentState, type IncomingChange, type Judgement } from './judge';

const OLD = '20260502T120000.000Z-0000-a1b2';
const NOW = '20260502T120001.000Z-0000-a1b2';
const LATER = '20260502T120002.000Z-0000-a1b2';

const live: CurrentState = { version: NOW, stamp: NOW, deleted: false };
const gone: CurrentState = { ...live, deleted: true };
const upsert: IncomingChange = { operation: 'upsert', parent: OLD, hlc: null };
const remove: IncomingChange = { ...upsert, operation: 'delete' };

const STRATEGIES = ['last-writer-wins', 'reject-stale', 'client-wins', 'merge', 'custom'] as const;
const POLICIES = ['resurrect_on_update', 'reject_update', 'delete_wins'] as const;

function brief(judgement: Judgement): string {
  switch (judgement.kind) {
    case 'reject':
      return judgement.code;
    case 'merge':
      return `merge, ${judgement.newer} newer`;
    default:
      return judgement.kind;
  }
}

function told(
  current: CurrentState | undefined,
  change: IncomingChange,
  strategy: CollectionRules['strategy'],
  deleteUpdatePolicy: CollectionRules['deleteUpdatePolicy'] = 'resurrect_on_update',
): string {
  return brief(judge(current, change, { strategy, deleteUpdatePolicy }));
}

const everyRule = STRATEGIES.flatMap((strategy) => POLICIES.map((policy) => [strategy, policy] as const));

describe('a change that conflicts with nothing', () => {
  it.each(everyRule)('is taken by %s, %s', (strategy, policy) => {
    for (const change of [upsert, remove]) {
      expect(told(undefined, change, strategy, policy)).toBe('accept');
      expect(told({ version: null, stamp: null, deleted: false }, change, strategy, policy)).toBe('accept');
      expect(told(live, { ...change, parent: NOW }, strategy, policy)).toBe('accept');
      expect(told(live, { ...change, parent: NOW, hlc: OLD }, strategy, policy)).toBe('accept');
    }
    // Who has seen the deletion and writes all the same means it.
    expect(told(gone, { ...upsert, parent: NOW }, strategy, policy)).toBe('accept');
    expect(told(gone, remove, strategy, policy)).toBe('already_deleted');
    expect(told(gone, { ...remove, parent: null }, strategy, policy)).toBe('already_deleted');
  });
});

describe('a stale update of a live document', () => {
  it.each([
    ['last-writer-wins', 'conflict_stale', 'overrule'],
    ['reject-stale', 'conflict_stale', 'conflict_stale'],
    ['client-wins', 'overrule', 'overrule'],
    ['merge', 'merge, current newer', 'merge, incoming newer'],
    ['custom', 'resolve', 'resolve'],
  ] as const)('%s: edited before %s, edited after %s', (strategy, before, after) => {
    for (const policy of POLICIES) {
      expect(told(live, upsert, strategy, policy)).toBe(before);
      expect(told(live, { ...upsert, parent: null }, strategy, policy)).toBe(before);
      expect(told(live, { ...upsert, hlc: OLD }, strategy, policy)).toBe(before);
      expect(told(live, { ...upsert, hlc: LATER }, strategy, policy)).toBe(after);
      expect(told(live, { ...upsert, parent: null, hlc: LATER }, strategy, policy)).toBe(after);
      // Without a stamp of its own, an edit is as old as its parent.
      expect(told(live, { ...upsert, parent: LATER }, strategy, policy)).toBe(after);
    }
  });
});

describe('a stale delete of a live document', () => {
  it.each([
    ['last-writer-wins', 'conflict_stale', 'overrule'],
    ['reject-stale', 'conflict_stale', 'conflict_stale'],
    ['client-wins', 'overrule', 'overrule'],
    ['merge', 'conflict_stale', 'overrule'],
    ['custom', 'resolve', 'resolve'],
  ] as const)('%s: asked before %s, asked after %s', (strategy, before, after) => {
    for (const policy of ['resurrect_on_update', 'reject_update'] as const) {
      expect(told(live, remove, strategy, policy)).toBe(before);
      expect(told(live, { ...remove, hlc: LATER }, strategy, policy)).toBe(after);
    }
    expect(told(live, remove, strategy, 'delete_wins')).toBe('overrule');
  });
});

describe('a stale update of a deleted document', () => {
  it.each([
    ['last-writer-wins', 'overrule'],
    ['reject-stale', 'conflict_stale'],
    ['client-wins', 'overrule'],
    ['merge', 'overrule'],
    ['custom', 'resolve'],
  ] as const)('%s with resurrect_on_update: %s, else it stays deleted', (strategy, expected) => {
    for (const hlc of [null, OLD, LATER]) {
      expect(told(gone, { ...upsert, hlc }, strategy)).toBe(expected);
      expect(told(gone, { ...upsert, hlc }, strategy, 'reject_update')).toBe('conflict_deleted');
      expect(told(gone, { ...upsert, hlc }, strategy, 'delete_wins')).toBe('conflict_deleted');
    }
  });
});

describe('a change on top of one whose result the client has not seen', () => {
  it.each([
    ['last-writer-wins', 'accept', 'accept'],
    ['reject-stale', 'accept', 'accept'],
    ['client-wins', 'accept', 'accept'],
    ['merge', 'merge, incoming newer', 'accept'],
    ['custom', 'resolve', 'accept'],
  ] as const)('%s: an update is %s, a delete %s', (strategy, update, removal) => {
    const unseen = { parent: NOW, unseen: true };
    expect(told(live, { ...upsert, ...unseen }, strategy)).toBe(update);
    expect(told(live, { ...remove, ...unseen }, strategy)).toBe(removal);
  });
});

describe('a patch', () => {
  const patch: IncomingChange = { operation: 'patch', parent: OLD, hlc: null };

  it.each(everyRule)(
    'of nothing is refused, and one that others leave alone is taken, by %s, %s',
    (...rules) => {
      expect(told(undefined, patch, ...rules)).toBe('missing');
      expect(told({ version: null, stamp: null, deleted: false }, patch, ...rules)).toBe('accept');
      for (const hlc of [null, OLD, LATER])
        for (const parent of [null, OLD, LATER]) {
          expect(told(live, { ...patch, parent, hlc, apart: true }, ...rules)).toBe('accept');
          expect(told(live, { ...patch, parent, hlc, apart: true, unseen: true }, ...rules)).toBe('accept');
        }
      expect(told(live, { ...patch, parent: NOW }, ...rules)).toBe('accept');
      // There is nothing to patch, and its sender knew it.
      expect(told(gone, { ...patch, parent: NOW }, ...rules)).toBe('conflict_deleted');
    },
  );

  it.each([
    ['last-writer-wins', 'merge, current newer', 'merge, incoming newer'],
    ['reject-stale', 'conflict_stale', 'conflict_stale'],
    ['client-wins', 'overrule', 'overrule'],
    ['merge', 'merge, current newer', 'merge, incoming newer'],
    ['custom', 'resolve', 'resolve'],
  ] as const)('of fields that others have changed: %s: edited before %s, edited after %s', (...row) => {
    const [strategy, before, after] = row;
    for (const policy of POLICIES)
      for (const apart of [false, undefined]) {
        const conflicting = { ...patch, ...(apart === undefined ? {} : { apart }) };
        expect(told(live, conflicting, strategy, policy)).toBe(before);
        expect(told(live, { ...conflicting, parent: null, hlc: OLD }, strategy, policy)).toBe(before);
        expect(told(live, { ...conflicting, hlc: LATER }, strategy, policy)).toBe(after);
        expect(told(live, { ...conflicting, parent: NOW, unseen: true }, strategy, policy)).toBe(after);
      }
  });

  it.each([
    ['last-writer-wins', 'overrule'],
    ['reject-stale', 'conflict_deleted'],
    ['client-wins', 'overrule'],
    ['merge', 'overrule'],
    ['custom', 'resolve'],
  ] as const)('of a deleted document: %s with resurrect_on_update: %s, else it stays deleted', (...row) => {
    const [strategy, expected] = row;
    for (const hlc of [null, OLD, LATER])
      for (const apart of [true, false]) {
        expect(told(gone, { ...patch, hlc, apart }, strategy)).toBe(expected);
        expect(told(gone, { ...patch, hlc, apart }, strategy, 'reject_update')).toBe('conflict_deleted');
        expect(told(gone, { ...patch, hlc, apart }, strategy, 'delete_wins')).toBe('conflict_deleted');
      }
  });
});

describe('edit stamps', () => {
  it('are compared with the stamp of the last winner, not with the version it got', () => {
    const offline: CurrentState = { version: LATER, stamp: OLD, deleted: false };
    expect(told(offline, { ...upsert, parent: null, hlc: NOW }, 'last-writer-wins')).toBe('overrule');
    expect(told({ ...offline, stamp: null }, { ...upsert, hlc: NOW }, 'last-writer-wins')).toBe(
      'conflict_stale',
    );
  });

  it('of the same moment are ordered by their nodes, and a legacy stamp without node is not older', () => {
    const [a, b, legacy] = ['-aaaa', '-bbbb', ''].map((node) => `20260502T120001.000Z-0001${node}`) as [
      string,
      string,
      string,
    ];
    expect([isNewer(a, b), isNewer(b, a), isNewer(a, a)]).toEqual([false, true, true]);
    expect([isNewer(legacy, b), isNewer(a, legacy)]).toEqual([true, true]);
    expect([isNewer(null, a), isNewer(OLD, a), isNewer(LATER, a)]).toEqual([false, false, true]);
  });

  it('that no clock wrote (a document older than the log) are compared as the texts they are', () => {
    expect([isNewer('v2', 'v1'), isNewer('v1', 'v1'), isNewer('v1', 'v2')]).toEqual([true, true, false]);
    expect([isNewer(NOW, 'v1'), isNewer('v1', NOW)]).toEqual([false, true]);
  });
});
