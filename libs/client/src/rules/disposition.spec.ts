import { ERROR_CODES, type ErrorCode, type PushResult } from 'nest-offline-sync-protocol';
import { EMPTY_PATCH } from './fields.ts';
import { MAX_RETURNS, refusedEntry, remedyFor, verdictOn } from './disposition.ts';
import type { Mutation, WireChange } from './mutation.ts';

const mutation = (seq: number, part: Partial<Mutation> = {}): Mutation => ({
  seq,
  id: `m${String(seq)}`,
  collection: 'c',
  doc: `d${String(seq)}`,
  change: { operation: 'patch', patch: { ...EMPTY_PATCH, set: { x: 1 } } },
  before: { x: 0 },
  after: { x: 1 },
  parent: null,
  editedAt: 1,
  seen: null,
  state: 'sent',
  sent: { change: {} as WireChange, at: 1 },
  returns: 0,
  ...part,
});
const answer = (code: ErrorCode | null): PushResult => ({
  doc_id: 'd',
  status: code === null ? 'accepted' : 'rejected',
  new_version: code === null ? 'v' : null,
  server_version: null,
  code,
  error: code === null ? null : 'words',
});
const [one, two] = [mutation(1, { tx: 't' }), mutation(2, { tx: 't' })];

it('has every code of the protocol end in an answer, another try or the quarantine', () => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const { kind } = verdictOn([mutation(1)], [answer(code)], [mutation(1)]);
    expect([code, kind]).toEqual([
      code,
      ['quarantine', 'group', 'parent'].includes(remedyFor(code)) ? 'refused' : 'again',
    ]);
  }
});

it('takes a transaction as a whole: what one of it is refused for decides', () => {
  expect(verdictOn([one, two], [answer(null), answer(null)], [one, two]).kind).toBe('answered');
  const refused = verdictOn(
    [one, two],
    [answer('batch_rolled_back'), answer('unique_violation')],
    [one, two],
  );
  expect(refused.kind).toBe('refused');
  const again = verdictOn([one, two], [answer('batch_rolled_back'), answer('clock_drift')], [one, two]);
  expect(again).toMatchObject({
    kind: 'again',
    unit: [
      { state: 'waiting', id: 'm1' },
      { state: 'waiting', id: 'm2' },
    ],
  });
});

it('freezes again what had a wrong stamp, and keeps the words of what could not be judged', () => {
  expect(verdictOn([mutation(1)], [answer('clock_drift')], [])).toMatchObject({
    unit: [{ id: 'm1', state: 'waiting', returns: 1, sent: undefined }],
  });
  expect(verdictOn([mutation(1)], [answer('conflict_retry')], [])).toMatchObject({
    unit: [{ id: 'm1', state: 'sent', returns: 1, sent: {} }],
  });
});

it('tries nothing for ever', () => {
  const tired = mutation(1, { returns: MAX_RETURNS });
  expect(verdictOn([tired], [answer('conflict_retry')], [tired]).kind).toBe('refused');
});

it('brings a parent along once, if there is one', () => {
  const parent = mutation(1, { state: 'answered' });
  const child = mutation(2, { doc: 'd1' });
  expect(verdictOn([child], [answer('parent_refused')], [parent, child])).toMatchObject({
    unit: [{ withParent: true, state: 'sent' }],
  });
  const asked = { ...child, withParent: true as const };
  expect(verdictOn([asked], [answer('parent_refused')], [parent, asked]).kind).toBe('refused');
  expect(verdictOn([child], [answer('parent_refused')], [child]).kind).toBe('refused');
});

it('tells the user of each change what it was, what it would have been, and what the server has', () => {
  const theirs = { version: 'v', deleted: false, data: { x: 9 } };
  const later = mutation(3, {
    doc: 'd1',
    state: 'waiting',
    sent: undefined,
    before: { x: 1 },
    after: { x: 2 },
  });
  const answers = new Map([
    [1, answer('batch_rolled_back')],
    [2, { ...answer('conflict_stale'), server_document: theirs }],
  ]);
  const entry = refusedEntry([one, two, later], answers, 5);
  expect(entry).toMatchObject({
    id: 'm1',
    code: 'conflict_stale',
    message: 'words',
    at: 5,
    transaction: true,
  });
  expect(
    entry.changes.map(({ code, base, mine, theirs, rolledBack }) => ({
      code,
      base,
      mine,
      theirs,
      rolledBack,
    })),
  ).toEqual([
    { code: null, base: { x: 0 }, mine: { x: 1 }, theirs: undefined, rolledBack: true },
    { code: 'conflict_stale', base: { x: 0 }, mine: { x: 1 }, theirs: { x: 9 }, rolledBack: undefined },
    { code: null, base: { x: 1 }, mine: { x: 2 }, theirs: undefined, rolledBack: undefined },
  ]);
});
