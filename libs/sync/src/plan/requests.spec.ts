import type { LogChange } from 'nest-offline-sync-protocol';
import type { StoredDocument } from '../codec/stored-document';
import type { CollectionRules } from './conflict';
import { PushWorld, resolverNeeds } from '../../../../test/support/push-world';
import { DocumentForm } from './document-form';
import { encodeDocument } from '../codec/wire-codec';
import { documentKey, type Decision, type PlanRequest, type ReadyChange, type PreparedChange } from './plan';

const NOON = Date.UTC(2026, 4, 2, 12);

interface Sent {
  readonly parent?: string | null;
  readonly hlc?: string;
  readonly mutation?: string;
  readonly strategy?: CollectionRules['strategy'];
  readonly more?: Partial<ReadyChange>;
}

function change(id: string, document: StoredDocument | null, sent: Sent = {}): PreparedChange {
  const { parent = null, hlc = null, mutation, strategy = 'merge', more = {} } = sent;
  return {
    kind: 'ready',
    collection: 'notes',
    rules: { strategy, deleteUpdatePolicy: 'resurrect_on_update' },
    operation: document ? 'upsert' : 'delete',
    key: documentKey('notes', id, id),
    storedId: id,
    wireId: id,
    document,
    parent,
    hlc,
    ...(mutation === undefined ? {} : { mutation: { id: mutation, hash: mutation } }),
    ...more,
  };
}

function request(
  scopeId: string,
  changes: readonly PreparedChange[],
  atomic: PlanRequest['atomic'] = 'mutation',
): PlanRequest {
  return { scopeId, actorId: 'actor', clientId: 'client', atomic, changes };
}

const BAD: PreparedChange = {
  kind: 'refused',
  wireId: 'bad',
  mutationId: null,
  rejection: { code: 'invalid_data', message: '' },
};

describe('a plan', () => {
  let world: PushWorld;
  beforeEach(() => {
    world = new PushWorld();
  });

  function group(requests: readonly PlanRequest[], wallMs = NOON): Decision[][] {
    const plan = world.plan(requests, wallMs);
    world.apply(plan);
    return plan.outcomes.map((outcome) => {
      if (outcome.kind === 'unresolved') throw new Error('a resolver is asked');
      return [...outcome.decisions];
    });
  }

  function push(
    scopeId: string,
    changes: readonly PreparedChange[],
    atomic?: PlanRequest['atomic'],
  ): Decision[] {
    return group([request(scopeId, changes, atomic)])[0]!;
  }

  const stored = (id: string): StoredDocument | undefined =>
    world.documents.get(documentKey('notes', id, id));
  const lastEntry = (): LogChange => JSON.parse(world.log.at(-1)!.wire) as LogChange;

  it('does not undo what others did when a client goes on from a change that was merged', () => {
    const [first] = push('s', [change('d', { mine: 0, theirs: 0 })]);
    const parent = first!.new_version;
    push('s', [change('d', { mine: 0, theirs: 1 }, { parent })]);
    // The client has seen neither the other's edit nor the merge when it makes its second change.
    const edits = [
      change('d', { mine: 1, theirs: 0 }, { parent, mutation: 'm1' }),
      change('d', { mine: 2, theirs: 0 }, { parent, mutation: 'm2' }),
    ];
    const answers = push('s', edits);
    expect(answers.map((answer) => answer.status)).toEqual(['conflict_resolved', 'conflict_resolved']);
    expect(stored('d')).toMatchObject({ mine: 2, theirs: 1 });
    // Nor when the first one is only a replay.
    const third = change('d', { mine: 3, theirs: 0 }, { parent, mutation: 'm3' });
    expect(push('s', [...edits, third]).map((answer) => answer.replayed)).toEqual([true, true, false]);
    expect(stored('d')).toMatchObject({ mine: 3, theirs: 1 });
    // A client that has seen the merge may change the other's field.
    push('s', [change('d', { mine: 3, theirs: 0 }, { parent: world.versions('s').at(-1)! })]);
    expect(stored('d')).toMatchObject({ mine: 3, theirs: 0 });
  });

  it('takes the second change of a client as it is when the first one was', () => {
    const answers = push('s', [
      change('d', { n: 1 }, { mutation: 'm1' }),
      change('d', { n: 2 }, { mutation: 'm2', strategy: 'reject-stale' }),
      change('d', null, { mutation: 'm3', strategy: 'reject-stale' }),
      change('d', { n: 3 }, { mutation: 'm4', strategy: 'reject-stale' }),
    ]);
    expect(answers.map((answer) => answer.status)).toEqual(Array(4).fill('accepted'));
    expect(stored('d')).toMatchObject({ n: 3, _sync_version: answers[3]!.new_version });
  });

  it('says of nothing in a rolled back batch that it was taken, not of a repeated mutation either', () => {
    const twice = change('d', { n: 1 }, { mutation: 'm1' });
    const answers = push('s', [twice, twice, BAD], 'batch');
    expect(answers.map((answer) => answer.code)).toEqual([
      'batch_rolled_back',
      'batch_rolled_back',
      'invalid_data',
    ]);
    expect(answers.map((answer) => answer.new_version)).toEqual([null, null, null]);
    expect([world.documents.size, world.log.length, world.receipts.size]).toEqual([0, 0, 0]);
    // One that was taken before stays so.
    const [taken] = push('s', [twice]);
    expect(push('s', [twice, BAD], 'batch')[0]).toMatchObject({
      status: 'accepted',
      new_version: taken!.new_version,
      replayed: true,
    });
  });

  it('plans requests of one group as if they came one after another, a repeated mutation included', () => {
    const once = change('d', { n: 1 }, { mutation: 'm1' });
    const failing = request('s', [once, BAD], 'batch');
    const [undone, first, second] = group([failing, request('s', [once]), request('s', [once])]);
    expect(undone![0]).toMatchObject({ code: 'batch_rolled_back', replayed: false });
    expect(first![0]).toMatchObject({ status: 'accepted', replayed: false });
    expect(second![0]).toMatchObject({ new_version: first![0]!.new_version, replayed: true });
    expect(world.log).toHaveLength(1);
  });

  it('gives the first answer to a mutation that would be refused by now', () => {
    const [first] = push('s', [change('d', { n: 1 }, { mutation: 'm1' })]);
    const refused: PreparedChange = {
      kind: 'refused',
      wireId: 'd',
      mutationId: 'm1',
      mutation: { id: 'm1', hash: 'm1' },
      rejection: { code: 'forbidden', message: '' },
    };
    const [answer, other] = push('s', [refused, { ...refused, mutation: { id: 'm1', hash: 'another' } }]);
    expect(answer).toMatchObject({ status: 'accepted', new_version: first!.new_version, replayed: true });
    expect(other).toMatchObject({ status: 'rejected', code: 'forbidden', replayed: false });
  });

  it('gives a new global id to the first scope of a group, and tells the other nothing but that', () => {
    const [mine, theirs, own] = group([
      request('a', [change('d', { secret: 's3cr3t' })]),
      request('b', [change('d', { n: 1 }, { mutation: 'm1' })]),
      request('b', [change('e', { n: 1 })]),
    ]);
    expect(mine![0]!.status).toBe('accepted');
    expect(theirs![0]).toMatchObject({ code: 'id_unavailable', server_version: null });
    expect(JSON.stringify(theirs)).not.toContain('s3cr3t');
    expect(own![0]!.status).toBe('accepted');
    expect(world.folded('b')).toEqual(new Map([['notes/e', { n: 1 }]]));
  });

  it('never merges from what another scope writes in the same transaction under the same version', () => {
    push('b', [change('e', { field: 'old', kept: 1 })]);
    push('b', [change('e', { field: 'new', kept: 1 }, { parent: world.versions('b').at(-1)! })]);
    // What scope a will draw can be guessed: the third version of this millisecond.
    push('a', [change('x', { n: 1 })]);
    push('a', [change('x', { n: 2 }, { parent: world.versions('a').at(-1)! })]);
    const guess = '20260502T120000.000Z-0002-node';
    const [a, b] = group([
      request('a', [change('d', { field: 'new' })]),
      request('b', [change('e', { field: 'probe' }, { parent: guess })]),
    ]);
    expect(a![0]!.new_version).toBe(guess);
    expect(b![0]).toMatchObject({ code: 'parent_unknown' });
  });

  it.each([
    ['moved', 'b', { wasHere: true, moved: { to: 'b' } }],
    ['moved', 'c', { wasHere: true, moved: { to: 'b' } }],
    ['left', 'b', { hasLeft: true }],
    ['left', undefined, { hasLeft: true }],
  ])('tells a log once that a document has %s which somebody has taken into %s', (_, scope, observed) => {
    push('a', [change('d', { n: 1 })]);
    const key = documentKey('notes', 'd', 'd');
    const there = {
      ...world.documents.get(key),
      _sync_scope_id: scope,
      _sync_version: '20260502T120000.000Z-0007-x',
    };
    if (scope === undefined) world.documents.delete(key);
    else world.documents.set(key, there);
    const seen = (more: ReadyChange['observed'], scopeId = 'a'): PlanRequest =>
      request(scopeId, [change('d', null, { more: { observed: more } })]);
    // Together with what the new scope has to say of it, and again.
    for (let times = 1; times <= 2; times++)
      group([seen({ again: times === 1 }, 'b'), seen(observed), seen(observed)]);
    const told = world.log.filter((entry) => entry.scope === 'a');
    expect(told.map(({ operation }) => operation)).toEqual(['upsert', 'delete']);
    expect(JSON.parse(told[1]!.wire)).not.toHaveProperty('client_id');
    expect(world.documents.get(key)?.['_sync_scope_id']).toBe(scope);
  });

  it.each(['left', 'moved'])(
    'tells a log once that a document is gone which the app replaces twice: %s',
    (first) => {
      const since = push('a', [change('d', { n: 1 })])[0]!.new_version!;
      const key = documentKey('notes', 'd', 'd');
      const replaced = (shop: string, observed: ReadyChange['observed']): void => {
        world.documents.set(key, { _id: 'd', shop });
        const more = { observed: { scopeField: 'shop', wasHere: true, ...observed } };
        group([request('a', [change('d', null, { more })])]);
      };
      replaced('b', first === 'left' ? { since } : { moved: { to: 'b' } });
      replaced('c', { moved: { to: 'c' } });
      const told = (scope: string): string[] =>
        world.log.filter((entry) => entry.scope === scope).map(({ operation }) => operation);
      expect([told('a'), told('c')]).toEqual([['upsert', 'delete'], ['upsert']]);
      expect(world.documents.get(key)).toMatchObject({ shop: 'c', _sync_scope_id: 'c' });
    },
  );

  it.each([{ isGone: true }, { since: '20260502T120000.000Z-0000-x' }])(
    'tells a log once that a document is gone which has left it before, and is then seen to be missing: %j',
    (observed) => {
      push('a', [change('d', { n: 1 })]);
      const key = documentKey('notes', 'd', 'd');
      const seen = (more: ReadyChange['observed']): void => {
        const all = { observed: { scopeField: 'shop', wasHere: true, ...more } };
        group([request('a', [change('d', null, { more: all })])]);
      };
      // Its field names no scope any more.
      world.documents.set(key, { ...world.documents.get(key), _id: 'd' });
      seen({ moved: { to: undefined } });
      expect(lastEntry().operation).toBe('delete');
      world.documents.delete(key);
      for (let times = 1; times <= 2; times++) seen(observed);
      expect(world.log.map(({ operation }) => operation)).toEqual(['upsert', 'delete']);
    },
  );

  it('lets stamps of a document only rise, so that an older edit never wins over the child of a newer one', () => {
    const ahead = '20260502T120050.000Z-0000-edit';
    const between = '20260502T120030.000Z-0000-edit';
    const lww = { strategy: 'last-writer-wins' } as const;
    const [first] = push('s', [change('d', { by: 'ahead' }, { ...lww, hlc: ahead })]);
    expect(stored('d')).toMatchObject({ _sync_hlc: ahead });
    // A child without a stamp of its own is not older than its parent.
    push('s', [change('d', { by: 'child' }, { ...lww, parent: first!.new_version })]);
    expect(stored('d')).toMatchObject({ by: 'child', _sync_hlc: ahead });
    expect(lastEntry().hlc).toBe(ahead);
    const [late] = push('s', [change('d', { by: 'between' }, { ...lww, hlc: between })]);
    expect(late).toMatchObject({ status: 'rejected', code: 'conflict_stale' });
    expect(late!.conflict).toMatchObject({ data: { by: 'child' } });
  });

  it('draws above a head that is ahead of the wall clock, past counter 9999, with the width kept', () => {
    world.heads.set('s', {
      _id: 's',
      version: '20260502T130000.000Z-9998-node',
      seq: 0,
      floor: '',
      floorSeq: 0,
    });
    const answers = push('s', [change('a', {}), change('b', {})]);
    expect(answers.map((answer) => answer.new_version)).toEqual([
      '20260502T130000.000Z-9999-node',
      '20260502T130000.001Z-0000-node',
    ]);
  });

  it('refuses stamps from the future, of devices and of the app', () => {
    const year2999 = '29990101T000000.000Z-0000-edit';
    const answers = push('s', [
      change('a', {}, { hlc: year2999 }),
      change('b', {}, { parent: year2999 }),
      change('c', {}, { more: { byServer: { reserved: year2999 } } }),
      change('d', {}, { hlc: '20260502T120100.000Z-0000-edit' }),
    ]);
    expect(answers.map((answer) => answer.code)).toEqual(['clock_drift', 'clock_drift', 'clock_drift', null]);
  });

  it('keeps the creation time through updates and merges, and sets it again when a deleted document comes back', () => {
    const form = new DocumentForm({ children: new Map([['createdAt', { time: 'created' }]]) });
    const rules = { strategy: 'merge', deleteUpdatePolicy: 'resurrect_on_update', form } as const;
    const at = (n: number, text: string): StoredDocument => ({ createdAt: new Date(n), text });
    const edit = (id: string, n: number, text: string, parent?: string) => {
      const content = { sent: encodeDocument(at(n, text)), problems: [], verdicts: [] };
      return change(id, at(n, text), { more: { rules, content }, ...(parent ? { parent } : {}) });
    };
    const [first] = push('s', [edit('d', 1, 'a')]);
    const parent = first!.new_version!;
    push('s', [edit('d', 2, 'b', parent)]);
    expect(stored('d')).toMatchObject(at(1, 'b'));
    push('s', [edit('d', 3, 'a', parent)]);
    expect(stored('d')).toMatchObject(at(1, 'b'));
    // Kept by the server, so not a change of the client's that would have to be merged.
    const two = [edit('e', 4, 'x'), edit('e', 5, 'y'), edit('e', 6, 'z')];
    expect(push('s', two).map((answer) => answer.status)).toEqual(Array(3).fill('accepted'));
    push('s', [change('d', null, { more: { rules }, parent: world.versions('s').at(-1)! })]);
    const tombstone = String(stored('d')!['_sync_version']);
    expect(stored('d')).not.toHaveProperty('createdAt');
    push('s', [edit('d', 7, 'c', tombstone)]);
    expect(stored('d')).toMatchObject(at(7, 'c'));
  });

  it('names the last writer of a document that several requests change', () => {
    const plan = world.plan(
      [
        request('s', [change('a', {}), change('d', { n: 1 })]),
        request('s', [change('d', { n: 2 }, { strategy: 'client-wins' }), change('b', {})]),
        request('s', [change('d', { n: 3 }, { strategy: 'reject-stale' })]),
      ],
      NOON,
    );
    expect(plan.writes.map(({ key, writer }) => [key.at(-1), writer.request, writer.change])).toEqual([
      ['a', 0, 0],
      ['d', 1, 0],
      ['b', 1, 1],
    ]);
    expect(plan.entries.map((entry) => entry.seq)).toEqual([1, 2, 3, 4]);
  });

  it('asks a resolver about the second change too when it settled the first, and rests on what it was shown', () => {
    const custom = { strategy: 'custom' } as const;
    const [first] = push('s', [change('d', { mine: 0, theirs: 0 }, custom)]);
    const parent = first!.new_version;
    push('s', [change('d', { mine: 0, theirs: 1 }, { ...custom, parent })]);
    const asked: unknown[] = [];
    let edits = request('s', [
      change('d', { mine: 1, theirs: 0 }, { ...custom, parent }),
      change('d', { mine: 2, theirs: 0 }, { ...custom, parent }),
    ]);
    for (let tries = 0; ; tries++) {
      // Each try draws other versions: the clock goes on.
      const plan = world.plan([edits], NOON + tries);
      const outcome = plan.outcomes[0]!;
      if (outcome.kind === 'decided') {
        world.apply(plan);
        expect(outcome.decisions.map((answer) => answer.status)).toEqual(Array(2).fill('conflict_resolved'));
        break;
      }
      for (const { index, basis, current, incoming, base } of resolverNeeds(outcome.needs)) {
        asked.push({ current, incoming, base });
        const document = { ...current, mine: incoming!['mine'] };
        const changes = edits.changes.map((entry, at) =>
          at === index && entry.kind === 'ready'
            ? { ...entry, resolution: { basis, outcome: { document } } }
            : entry,
        );
        edits = { ...edits, changes };
      }
    }
    expect(asked).toEqual([
      { current: { mine: 0, theirs: 1 }, incoming: { mine: 1, theirs: 0 }, base: { mine: 0, theirs: 0 } },
      { current: { mine: 1, theirs: 1 }, incoming: { mine: 2, theirs: 0 }, base: { mine: 1, theirs: 0 } },
    ]);
    expect(stored('d')).toMatchObject({ mine: 2, theirs: 1 });
  });

  it('leaves a tombstone for what was never there, and a second delete changes nothing', () => {
    const [first] = push('s', [change('d', null)]);
    expect(stored('d')).toEqual({
      _id: 'd',
      _sync_version: first!.new_version,
      _sync_actor_id: 'actor',
      _sync_scope_id: 's',
      _sync_deleted: true,
    });
    expect(lastEntry()).toMatchObject({ operation: 'delete', data: null });
    expect(push('s', [change('d', null)])[0]).toMatchObject({
      status: 'accepted',
      new_version: first!.new_version,
    });
    expect(world.log).toHaveLength(1);
  });
});
