import type { HistoryEvent } from '../history';
import type { Finding, InvariantNumber } from '../verdict';
import {
  access,
  appWrite,
  change,
  digest,
  echoed,
  entry,
  finalPull,
  full,
  got,
  history,
  hot,
  patch,
  probe,
  pull,
  push,
  row,
  stream,
  subscribed,
  taken,
} from '../../../../test/support/history-events';
import { rejected, STARTED_AT, versionOf } from '../../../../test/support/simulated-history';
import { judge } from './judge';

const v = versionOf;
const BATCH = [change(1), change(2)];
const STALE = { ...rejected('d1', 'conflict_stale'), serverDocument: { version: v(1), deleted: false } };

/** The digest of docs/protocol.md, "Digest", for the document `n1` at this version. */
const DIGESTED = {
  seen: entry(1, { docId: 'n1', version: '20260502T120000.000Z-0001-a1b2' }),
  live: { count: 1, hash: 'f5907afcaebcc65f0a44e7f08df78b21' },
  nothing: { count: 0, hash: '0'.repeat(32) },
};

function digested(at: number, part: Partial<typeof DIGESTED.live>): HistoryEvent {
  const live = { ...DIGESTED.live, ...part };
  return digest(at, DIGESTED.seen.version, [{ collection: 'notes', live, deleted: DIGESTED.nothing }]);
}

/** Its version is half a day after the run began. */
const HALF_DAY = 12 * 3600 * 1000;

const CLUB = { scope: 'club' };
/** A conflict with the first entry of `hot`. */
const HOT_STALE = {
  ...rejected('hot', 'conflict_stale'),
  serverVersion: v(1),
  serverDocument: { version: v(1), deleted: false },
};
const created = push(0, [change(1, { docId: 'hot' })], [taken(1, { docId: 'hot' })]);

function findingOf(invariant: InvariantNumber, ...events: HistoryEvent[]): Finding {
  return judge(history(...events)).findings.find((finding) => finding.invariant === invariant)!;
}

describe('a history that keeps everything', () => {
  const events: HistoryEvent[] = [
    subscribed(0),
    push(1, BATCH, [taken(1), taken(2)]),
    got(2, entry(1)),
    got(3, entry(2)),
    push(4, [change(3)], null),
    push(6, [change(3)], [taken(3, { replayed: true })]),
    pull(8, 'p0', null, [entry(1), entry(2), entry(3)], entry(3)),
    push(10, [change(4, { docId: 'd1' })], [STALE], { atomic: 'mutation' }),
    full(12, v(3), [row(entry(1)), row(entry(2)), row(entry(3))]),
    push(14, [change(5, { flaw: 'clock-ahead' })], [rejected('d5', 'clock_drift')]),
    appWrite(16, 'main-app'),
    got(17, entry(3)),
    got(18, entry(4, { marker: 'main-app', docId: 'a' })),
    stream(19, { is: 'ping', lastSeq: v(4) }),
    probe('forged-token', 401, 'unauthenticated'),
    probe('foreign-scope', 403, 'scope_forbidden'),
    probe('unknown-cursor', 200, 'full_resync_required'),
    probe('malformed-cursor', 400, 'invalid_cursor'),
    probe('too-many-changes', 413, 'too_many_changes'),
    finalPull([entry(1), entry(2), entry(3), entry(4, { marker: 'main-app', docId: 'a' })]),
  ];

  it('is found to hold, with every invariant exercised', () => {
    const verdict = judge(history(...events));
    expect(verdict.findings.filter(({ violated }) => violated > 0)).toEqual([]);
    expect(verdict.findings.filter(({ checks }) => checks === 0)).toEqual([]);
    expect(verdict.held).toBe(true);
  });

  it('says what an empty history does not show', () => {
    expect(judge(history()).findings.map(({ checks }) => checks)).toEqual(Array(11).fill(0));
  });
});

type Broken = readonly [what: string, invariant: InvariantNumber, says: RegExp, events: HistoryEvent[]];

const BROKEN: readonly Broken[] = [
  // 1 Atomic
  [
    'a batch of which one change was taken and one rejected',
    1,
    /one batch/,
    [push(1, BATCH, [taken(1), STALE])],
  ],
  [
    'an unanswered batch of which half is in the log',
    1,
    /is in the log and .* is not/,
    [push(1, BATCH, null), finalPull([entry(1)])],
  ],
  [
    'a rejected change that is in the log',
    1,
    /was refused .* and is in the log/,
    [push(1, [change(1)], [rejected('d1', 'batch_rolled_back')]), finalPull([entry(1)])],
  ],
  [
    'a push refused as a whole that is in the log',
    1,
    /was refused .* and is in the log/,
    [push(1, [change(1)], null, { answer: { status: 413, code: null } }), finalPull([entry(1)])],
  ],
  [
    'an answered version that is another document',
    1,
    /another document/,
    [push(1, [change(1)], [taken(1)]), finalPull([entry(1, { docId: 'd9', marker: null })])],
  ],
  [
    'an answered version with other content',
    1,
    /other content/,
    [push(1, [change(1)], [taken(1)]), finalPull([entry(1, { marker: 'main-9' })])],
  ],
  [
    'a pull that ends in the middle of a batch',
    1,
    /the log ends at/,
    [
      push(1, BATCH, [taken(1), taken(2)]),
      pull(1, 'p0', null, [entry(1)], entry(1)),
      finalPull([entry(1), entry(2)]),
    ],
  ],
  [
    'an entry that says that another mutation wrote it',
    1,
    /the entry says/,
    [push(1, [change(1)], [taken(1, { seq: 1 })]), finalPull([echoed(1, { mutation: 'm9' })])],
  ],
  [
    'an entry that does not say whose it is',
    1,
    /the entry says seq 1, nobody's/,
    [push(1, [change(1)], [taken(1, { seq: 1 })]), finalPull([entry(1)])],
  ],
  [
    'an answer with the seq of another entry',
    1,
    /the entry says seq 1/,
    [push(1, [change(1)], [taken(1, { seq: 2 })]), finalPull([echoed(1)])],
  ],
  [
    'an entry of a mutation that was never sent',
    1,
    /was never sent/,
    [push(1, [change(1)], [taken(1)]), finalPull([echoed(1, { mutation: 'm9' })])],
  ],
  [
    'a patch that was refused and counted',
    1,
    /was refused .* and is in the log/,
    [
      push(1, [patch(2, { inc: 1 })], [{ ...rejected('hot', 'document_missing') }]),
      finalPull([hot(1, 0), hot(2, 1)]),
    ],
  ],
  [
    'an unanswered batch of which one patch is in the log',
    1,
    /is in the log and .* is not/,
    [created, push(1, [patch(2, { inc: 1 }), patch(3, { inc: 1 })], null), finalPull([hot(1, 0), hot(2, 1)])],
  ],
  [
    'a change that was taken though its parent was refused',
    1,
    /builds on mutation m1, which was refused/,
    [
      push(1, [change(1)], [STALE], { atomic: 'mutation' }),
      push(3, [change(2, { docId: 'd1', parentMutation: 'm1' })], [taken(2, { docId: 'd1' })]),
    ],
  ],
  [
    'a change that was taken after a group of its document was rolled back',
    1,
    /builds on mutation m1, which was refused/,
    [
      push(
        1,
        [change(1, { group: 'a' }), change(2, { group: 'a' }), change(3, { docId: 'd1' })],
        [rejected('d1', 'batch_rolled_back'), { ...STALE, docId: 'd2' }, taken(3, { docId: 'd1' })],
        { atomic: 'mutation' },
      ),
    ],
  ],
  // 2 Order
  [
    'a reader whose versions go back',
    2,
    /was given .* after/,
    [subscribed(0), got(1, entry(2)), got(2, entry(1))],
  ],
  ['an entry given twice', 2, /was given .* after/, [subscribed(0), got(1, entry(1)), got(2, entry(1))]],
  [
    'a gap in seq',
    2,
    /seq 3 .* after seq 1/,
    [pull(1, 'p0', null, [entry(1), entry(2, { seq: 3 })], entry(2, { seq: 3 }))],
  ],
  [
    'a version below one that was known when its push was sent',
    2,
    /was known before/,
    [push(1, [change(2)], [taken(2)]), push(5, [change(1)], [taken(1)]), finalPull([entry(1), entry(2)])],
  ],
  [
    'a version that two readers see with other content',
    2,
    /has another content/,
    [
      pull(1, 'p0', null, [entry(1)], entry(1)),
      pull(3, 'p1', null, [entry(1, { digest: 'other' })], entry(1)),
    ],
  ],
  [
    'an order by seq that is not that of the versions',
    2,
    /but .* below it has/,
    [
      pull(1, 'p0', null, [entry(1, { seq: 2 })], entry(1, { seq: 2 })),
      pull(3, 'p1', v(1), [entry(2, { seq: 1 })], entry(2, { seq: 1 })),
    ],
  ],
  [
    'a version that two readers see from other senders',
    2,
    /has another sender/,
    [
      pull(1, 'p0', null, [echoed(1)], entry(1)),
      pull(3, 'p1', null, [echoed(1, { client: 'w1' })], entry(1)),
    ],
  ],
  [
    'a full resync with another seq than its version has',
    2,
    /was told that .* is seq 2/,
    [{ ...full(3, v(1), [row(entry(1))]), seq: 2 }, finalPull([entry(1)])],
  ],
  // 3 Complete
  [
    'a pull that leaves an entry out',
    3,
    /was never given/,
    [pull(1, 'p0', null, [entry(1), entry(3)], entry(3)), finalPull([entry(1), entry(2), entry(3)])],
  ],
  [
    'an entry that appears below a cursor',
    3,
    /was never given/,
    [pull(1, 'p0', null, [], entry(2)), finalPull([entry(1), entry(2)])],
  ],
  [
    'a stream with a gap',
    3,
    /was never given/,
    [subscribed(0), got(1, entry(1)), got(2, entry(3)), finalPull([entry(1), entry(2), entry(3)])],
  ],
  [
    'a stream that comes back and misses what was between',
    3,
    /was never given/,
    [
      subscribed(0),
      got(1, entry(1)),
      stream(2, { is: 'closed', code: 1006 }),
      subscribed(3, v(1), { connection: 2 }),
      got(4, entry(3), { connection: 2 }),
      finalPull([entry(1), entry(2), entry(3)]),
    ],
  ],
  [
    'a ping that runs ahead',
    3,
    /was never given/,
    [subscribed(0), stream(1, { is: 'ping', lastSeq: v(1) }), got(2, entry(1))],
  ],
  [
    'an acknowledged change that is not in the log',
    3,
    /was acknowledged .* is not in the log/,
    [push(1, [change(2)], [taken(2)]), finalPull([entry(1, { marker: null })])],
  ],
  [
    'a listening reader that never got an acknowledged change',
    3,
    /was never given/,
    [subscribed(0), push(1, [change(1)], [taken(1)]), finalPull([entry(1)])],
  ],
  [
    'a pull that does not show what was answered before',
    3,
    /without it/,
    [
      push(1, [change(2)], [taken(2)]),
      pull(5, 'p0', null, [entry(1)], entry(1)),
      finalPull([entry(1), entry(2)]),
    ],
  ],
  [
    'a next cursor above what was given though there is more',
    3,
    /as its next cursor/,
    [
      pull(1, 'p0', null, [entry(1)], entry(2), {
        page: { changes: [entry(1)], lastSeq: v(2), seq: 2, hasMore: true },
      }),
    ],
  ],
  [
    'a count that is lost',
    3,
    /adds 2 to 5, and left 5/,
    [
      created,
      push(1, [patch(2, { inc: 2 })], [taken(2, { docId: 'hot' })]),
      finalPull([hot(1, 5), hot(2, 5)]),
    ],
  ],
  [
    'a value of a list that is lost',
    3,
    /adds b to and removes nothing from a, and left a/,
    [
      created,
      push(1, [patch(2, { add: ['b'] })], [taken(2, { docId: 'hot' })]),
      finalPull([hot(1, 5, ['a']), hot(2, 5, ['a'])]),
    ],
  ],
  [
    'a value of a list that others had added, and a patch wiped',
    3,
    /adds c to .* from a,b, and left a,c/,
    [
      created,
      push(1, [patch(2, { add: ['c'] })], [taken(2, { docId: 'hot' })]),
      finalPull([hot(1, 5, ['a', 'b']), hot(2, 5, ['a', 'c'])]),
    ],
  ],
  [
    'a text that a patch was to remove',
    3,
    /left the text "old"/,
    [
      created,
      push(1, [patch(2, { optional: null })], [taken(2, { docId: 'hot' })]),
      finalPull([
        hot(1, 5, [], { fields: { count: 5, list: [], optional: 'old' } }),
        hot(2, 5, [], { fields: { count: 5, list: [], optional: 'old' } }),
      ]),
    ],
  ],
  [
    'a count that was answered and never made',
    3,
    /was only patched: 2 patches make 7, and it has 5/,
    [
      created,
      push(1, [patch(2, { inc: 5 })], [taken(2, { docId: 'hot' })]),
      push(3, [patch(3, { inc: 2 })], [taken(2, { docId: 'hot' })]),
      finalPull([hot(1, 0), hot(2, 5)]),
    ],
  ],
  // 4 Idempotent
  [
    'a mutation that is in the log twice',
    4,
    /is in the log 2 times/,
    [
      push(1, [change(1)], null),
      push(3, [change(1)], [taken(2, { docId: 'd1' })]),
      finalPull([entry(1), entry(2, { docId: 'd1', marker: 'main-1' })]),
    ],
  ],
  [
    'a retry with another answer',
    4,
    /was answered/,
    [push(1, [change(1)], [taken(1)]), push(3, [change(1)], [taken(2, { docId: 'd1', replayed: true })])],
  ],
  [
    'a retry that is refused',
    4,
    /was answered/,
    [push(1, [change(1)], [taken(1)]), push(3, [change(1)], [STALE], { atomic: 'mutation' })],
  ],
  [
    'a kept conflict that is taken the second time',
    4,
    /was answered/,
    [
      push(1, [change(1)], [STALE], { atomic: 'mutation' }),
      push(3, [change(1)], [taken(1)], { atomic: 'mutation' }),
    ],
  ],
  [
    'a mutation that is taken twice at the same time',
    4,
    /was answered/,
    [push(1, [change(1)], [taken(1)]), push(1, [change(1)], [taken(1)])],
  ],
  [
    'a mutation id that is taken for another change',
    4,
    /mutation_id_reused/,
    [push(1, [change(1)], [taken(1)]), push(3, [change(2, { mutation: 'm1' })], [taken(2)])],
  ],
  [
    'a replay of what was never sent',
    4,
    /never been sent/,
    [push(1, [change(1)], [taken(1, { replayed: true })])],
  ],
  [
    'a deletion that is in the log twice',
    4,
    /is in the log 2 times/,
    [
      push(1, [change(1, { operation: 'delete', marker: null })], null),
      finalPull([
        echoed(1, { operation: 'delete', marker: null, digest: null }),
        echoed(2, { operation: 'delete', marker: null, digest: null, mutation: 'm1' }),
      ]),
    ],
  ],
  [
    'a patch that counts twice in one entry',
    4,
    /adds 2 to 5, and left 9/,
    [
      created,
      push(1, [patch(2, { inc: 2 })], [taken(2, { docId: 'hot' })]),
      finalPull([hot(1, 5), hot(2, 9)]),
    ],
  ],
  [
    'a patch that counts twice in two entries',
    4,
    /is in the log 2 times/,
    [
      created,
      push(1, [patch(2, { inc: 2 })], [taken(2, { docId: 'hot' })]),
      finalPull([hot(1, 5), hot(2, 7), hot(3, 9, [], { mutation: 'm2' })]),
    ],
  ],
  [
    'more than the patches of a document make',
    4,
    /was only patched: 1 patches make 2, and it has 4/,
    [
      created,
      push(1, [patch(2, { inc: 2 })], [taken(2, { docId: 'hot' })]),
      finalPull([hot(1, 0), hot(2, 4)]),
    ],
  ],
  [
    'a list with more than a patch adds',
    4,
    /and left a,b,b/,
    [
      created,
      push(1, [patch(2, { add: ['b'] })], [taken(2, { docId: 'hot' })]),
      finalPull([hot(1, 0, ['a']), hot(2, 0, ['a', 'b', 'b'])]),
    ],
  ],
  // 5 Isolated
  ['bytes with a secret', 5, /a secret/, [{ kind: 'leak', to: 'other', at: 1, where: 'an error text' }]],
  ['an answer without a token', 5, /no token was answered 200/, [probe('without-token', 200, null)]],
  ['an answer to a forged token', 5, /a forged token/, [probe('forged-token', 404, null)]],
  ['an answer about another scope', 5, /named the scope/, [probe('foreign-scope', 200, null)]],
  ['another refusal of another scope', 5, /not scope_forbidden/, [probe('foreign-scope', 404, 'not_found')]],
  [
    'an entry of the other tenant',
    5,
    /was given what main wrote/,
    [push(1, [change(1)], [taken(1)]), pull(3, 'p0', null, [entry(1)], entry(1), { tenant: 'other' })],
  ],
  [
    'an entry of another scope of the same tenant',
    5,
    /was given what scope club wrote/,
    [push(1, [change(1)], [taken(1)], CLUB), pull(3, 'p0', null, [entry(1)], entry(1))],
  ],
  [
    'a pull from a scope that was taken away',
    5,
    /was answered 200 .*after the app took that scope away/,
    [access(1, 'none'), pull(10, 'p0', null, [], entry(1), CLUB), access(20, 'write')],
  ],
  [
    'a push into a scope that was taken away',
    5,
    /A push of main in scope club was answered 200/,
    [access(1, 'none'), push(10, [change(1)], [taken(1)], CLUB)],
  ],
  [
    'a digest of a scope that was taken away',
    5,
    /A digest of main in scope club was answered 200/,
    [access(1, 'none'), digest(10, v(1), [], CLUB)],
  ],
  [
    'a scope that is refused to who is in it',
    5,
    /though the app lets it in/,
    [
      access(1, 'write'),
      pull(10, 'p0', null, [], entry(1), {
        ...CLUB,
        page: null,
        answer: { status: 403, code: 'scope_forbidden' },
      }),
    ],
  ],
  [
    'an entry after scope_lost',
    5,
    /was told that scope club is lost, and then given/,
    [subscribed(0, null, CLUB), stream(2, { is: 'lost' }, CLUB), got(3, entry(1), CLUB)],
  ],
  [
    'an entry for a socket long after its scope was taken away',
    5,
    /it was written after that/,
    [
      subscribed(0, null, CLUB),
      access(10, 'none'),
      push(8_000, [change(1)], [taken(1)], { ...CLUB, tenant: 'other', client: 'o0' }),
      got(8_100, entry(1), CLUB),
    ],
  ],
  // 6 Convergent
  [
    'a full resync with older content than its cursor',
    6,
    /older than its cursor/,
    [full(3, v(2), [row(entry(1))]), finalPull([entry(1), entry(2, { docId: 'd1' })])],
  ],
  [
    'a full resync without a document',
    6,
    /is missing/,
    [full(3, v(2), [row(entry(1))]), finalPull([entry(1), entry(2)])],
  ],
  [
    'a full resync with other content',
    6,
    /other content/,
    [full(3, v(1), [row(entry(1), { digest: 'other' })]), finalPull([entry(1)])],
  ],
  [
    'a full resync with a document that was deleted',
    6,
    /is alive in it/,
    [full(3, v(1), [row(entry(1), { deleted: false })]), finalPull([entry(1, { operation: 'delete' })])],
  ],
  [
    'a document that the log does not know',
    6,
    /no entry in the log/,
    [
      full(3, v(2), [row(entry(2)), row(entry(1), { docId: 'd9' })]),
      finalPull([entry(1, { collection: 'cards' }), entry(2)]),
    ],
  ],
  [
    'a document twice in a full resync',
    6,
    /twice/,
    [full(3, v(1), [row(entry(1)), row(entry(1))]), finalPull([entry(1)])],
  ],
  [
    'a digest with a document less',
    6,
    /The digest of notes .* is 0 documents/,
    [digested(3, DIGESTED.nothing), finalPull([DIGESTED.seen])],
  ],
  [
    'a digest with another hash',
    6,
    /a device there has 1 documents f5907afcaebcc65f0a44e7f08df78b21/,
    [digested(3, { hash: 'f5907afcaebcc65f0a44e7f08df78b20' }), finalPull([DIGESTED.seen])],
  ],
  [
    'a digest without a collection',
    6,
    /is missing; a device there has/,
    [digest(3, DIGESTED.seen.version, []), finalPull([DIGESTED.seen])],
  ],
  [
    'a digest that is not what a full resync just before it has, of a trimmed log',
    6,
    /The digest of notes/,
    [
      full(1, DIGESTED.seen.version, [row(DIGESTED.seen)]),
      digested(3, { count: 2 }),
      pull(5, 'final-main', DIGESTED.seen.version, [], DIGESTED.seen),
    ],
  ],
  // 7 Never silently too late
  [
    'a log without its beginning that does not say so',
    7,
    /cannot be read any more/,
    [pull(1, 'p0', null, [entry(1)], entry(1)), pull(3, 'p1', null, [entry(2)], entry(2))],
  ],
  [
    'a cursor below the floor that is told that nothing is new',
    7,
    /cannot be read any more/,
    [
      pull(1, 'p0', null, [entry(1), entry(2)], entry(2)),
      pull(3, 'p1', v(1), [], entry(3)),
      pull(5, 'p0', v(2), [entry(3)], entry(3)),
    ],
  ],
  ['an unknown cursor that gets a page', 7, /was never written/, [probe('unknown-cursor', 200, null)]],
  ['text as a cursor', 7, /not a cursor/, [probe('malformed-cursor', 200, null)]],
  [
    'a cursor that no entry has',
    7,
    /which no entry of the log has/,
    [pull(1, 'p0', v(1), [], entry(2)), finalPull([entry(2, { seq: 1 }), entry(3, { seq: 2 })])],
  ],
  [
    'a resync that nothing asked for',
    7,
    /was sent to a full resync/,
    [pull(1, 'p0', v(1), [], entry(1), { page: { resync: 'too_old' } }), finalPull([entry(1)])],
  ],
  // 8 Bounded clock
  [
    'a stamp far ahead that is taken',
    8,
    /a stamp far ahead/,
    [push(1, [change(1, { flaw: 'clock-ahead' })], [taken(1)])],
  ],
  ['a version far ahead', 8, /ms ahead/, [pull(1, 'p0', null, [entry(70_000)], entry(70_000))]],
  // 9 Bounded memory
  ['too many changes that are taken', 9, /not 413/, [probe('too-many-changes', 200, null)]],
  ['a limit out of range that is taken', 9, /not 400/, [probe('limit-out-of-range', 200, null)]],
  ['too large a body that breaks the server', 9, /not 413/, [probe('too-large', 500, 'internal')]],
  [
    'a stalled reader that holds up another',
    9,
    /took no bytes/,
    [
      subscribed(0),
      subscribed(0, null, { reader: 's1' }),
      stream(10, { is: 'stalled' }, { reader: 's1' }),
      push(20, [change(1)], [taken(1)]),
      stream(9_000, { is: 'resumed' }, { reader: 's1' }),
      got(9_001, entry(1)),
      got(9_001, entry(1), { reader: 's1' }),
    ],
  ],
  // 10 Disposed
  ['a status that is none', 10, /no status/, [push(1, [change(1)], [taken(1, { status: 'pending' })])]],
  ['a rejection without a code', 10, /no code/, [push(1, [change(1)], [rejected('d1', null)])]],
  [
    'a rejection without a text',
    10,
    /no error text/,
    [push(1, [change(1)], [{ ...STALE, explained: false }])],
  ],
  [
    'a conflict without the document',
    10,
    /server_document is missing/,
    [push(1, [change(1)], [rejected('d1', 'conflict_stale')])],
  ],
  ['a wrong change that is taken', 10, /on purpose/, [push(1, [change(1, { flaw: 'shape' })], [taken(1)])]],
  [
    'a bad change that takes others with it',
    10,
    /is independent/,
    [
      push(
        1,
        [change(1, { flaw: 'shape' }), change(2)],
        [rejected(null, 'invalid_data'), rejected('d2', 'batch_rolled_back')],
        {
          atomic: 'mutation',
        },
      ),
    ],
  ],
  [
    'a batch rolled back by nothing',
    10,
    /its own reason/,
    [push(1, BATCH, [rejected('d1', 'batch_rolled_back'), rejected('d2', 'batch_rolled_back')])],
  ],
  [
    'a good change that is refused',
    10,
    /nothing is wrong/,
    [push(1, [change(1)], [rejected('d1', 'invalid_data')])],
  ],
  ['a push without all its results', 10, /got 1 results/, [push(1, BATCH, [taken(1)])]],
  ['a 500', 10, /answered 500/, [push(1, [change(1)], null, { answer: { status: 500, code: 'internal' } })]],
  [
    'a 503 without a code',
    10,
    /without a code/,
    [push(1, [change(1)], null, { answer: { status: 503, code: null } })],
  ],
  [
    'a parent_refused of a change that names no parent',
    10,
    /it names no parent/,
    [push(1, [change(1)], [rejected('d1', 'parent_refused')])],
  ],
  [
    'a parent_refused although the parent was taken',
    10,
    /that it builds on was taken/,
    [
      push(1, [change(1)], [taken(1)]),
      push(3, [change(2, { docId: 'd1', parentMutation: 'm1' })], [rejected('d1', 'parent_refused')]),
    ],
  ],
  [
    'a parent_refused where a group of another document was rolled back',
    10,
    /it names no parent/,
    [
      push(
        1,
        [change(1, { group: 'a' }), change(2, { group: 'a' }), change(3)],
        [rejected('d1', 'batch_rolled_back'), { ...STALE, docId: 'd2' }, rejected('d3', 'parent_refused')],
        { atomic: 'mutation' },
      ),
    ],
  ],
  [
    'a child that is stale against its own parent',
    10,
    /which is its own parent/,
    [
      push(1, [change(1)], [taken(1, { seq: 1 })]),
      push(3, [change(2, { docId: 'd1', parentMutation: 'm1' })], [{ ...STALE, serverVersion: v(1) }], {
        atomic: 'mutation',
      }),
    ],
  ],
  [
    'a patch that only counts, and was a conflict',
    10,
    /which never conflicts/,
    [created, push(3, [patch(2, { inc: 1 })], [HOT_STALE]), finalPull([hot(1, 0)])],
  ],
  [
    'a patch that only adds, and was resolved',
    10,
    /which never conflicts/,
    [
      created,
      push(
        3,
        [patch(2, { add: ['a'] })],
        [{ ...HOT_STALE, code: null, status: 'conflict_resolved', newVersion: v(2) }],
      ),
      finalPull([hot(1, 0), hot(2, 0, ['a'])]),
    ],
  ],
  [
    'a patch of a document that is said not to be there',
    10,
    /the document is there since/,
    [created, push(3, [patch(2, { inc: 1 })], [rejected('hot', 'document_missing')]), finalPull([hot(1, 0)])],
  ],
  [
    'a document that was asked for and not shown',
    10,
    /server_document is missing/,
    [push(1, [change(1, { returns: true })], [taken(1)])],
  ],
  [
    'a document that is older than what the change wrote',
    10,
    /older than what it wrote/,
    [
      push(
        1,
        [change(2, { returns: true })],
        [taken(2, { serverDocument: { version: v(1), deleted: false, digest: 'digest of 1' } })],
      ),
    ],
  ],
  [
    'a document that the log has with other content',
    10,
    /is not what the log has/,
    [
      push(
        1,
        [change(1, { returns: true })],
        [taken(1, { serverDocument: { version: v(1), deleted: false, digest: 'other' } })],
      ),
      finalPull([entry(1)]),
    ],
  ],
  [
    'a second answer to a push over the socket',
    10,
    /was sent pushed with the id 3/,
    [{ kind: 'stray', tenant: 'main', at: 1, what: 'pushed with the id 3, which no push was waiting for' }],
  ],
  [
    'a push that is refused over the socket with another code than over HTTP',
    10,
    /over the socket it was answered internal, and over HTTP malformed_request/,
    [probe('socket-push', 400, 'internal', { expected: { status: 400, code: 'malformed_request' } })],
  ],
  [
    'a push that is taken over the socket and refused over HTTP',
    10,
    /over the socket it was answered 200/,
    [probe('socket-push', 200, null, { expected: { status: 400, code: 'malformed_request' } })],
  ],
  // 11 Same for the server
  [
    'a write of the app that is lost',
    11,
    /is not in the log/,
    [appWrite(1, 'main-app'), finalPull([entry(1)])],
  ],
  [
    'a write of the app that is there twice',
    11,
    /in the log 2 times/,
    [
      appWrite(1, 'main-app'),
      finalPull([entry(1, { marker: 'main-app' }), entry(2, { marker: 'main-app' })]),
    ],
  ],
];

describe('a history that breaks an invariant', () => {
  it.each(BROKEN)('%s: %i', (_, invariant, says, events) => {
    const finding = findingOf(invariant, ...events);
    expect(finding.violated).toBeGreaterThan(0);
    expect(finding.violations.map(({ message }) => message)).toContainEqual(expect.stringMatching(says));
    for (const { history: shown } of finding.violations) expect(shown.length).toBeGreaterThan(0);
  });
});

describe('what is no violation', () => {
  const NEW_HELD: readonly (readonly [string, HistoryEvent[]])[] = [
    [
      'patches of two writers, answered or not, that add up',
      [
        created,
        push(1, [patch(2, { inc: 2, add: ['a'] })], [taken(2, { docId: 'hot', seq: 2 })]),
        push(2, [patch(3, { inc: 3, remove: ['a'] })], null),
        finalPull([hot(1, 0), hot(2, 2, ['a']), hot(3, 5)]),
      ],
    ],
    [
      'a patch that changes nothing, and has no entry',
      [
        created,
        push(1, [patch(2, { add: ['a'] })], [taken(1, { docId: 'hot' })]),
        finalPull([hot(1, 0, ['a'])]),
      ],
    ],
    [
      'a patch against a deletion',
      [
        created,
        push(3, [patch(3, { inc: 1 })], [{ ...HOT_STALE, code: 'conflict_deleted' }], { atomic: 'mutation' }),
        finalPull([hot(1, 0)]),
      ],
    ],
    [
      'a change that conflicts with what others wrote, on top of an own patch',
      [
        created,
        push(1, [patch(2, { inc: 1 })], [taken(2, { docId: 'hot', seq: 2 })]),
        push(
          3,
          [change(3, { docId: 'hot', parentMutation: 'm2' })],
          [{ ...HOT_STALE, serverVersion: v(2), serverDocument: { version: v(2), deleted: false } }],
        ),
        finalPull([hot(1, 0), hot(2, 1)]),
      ],
    ],
    [
      'a child of what was refused, and one of what was not answered',
      [
        push(1, [change(1)], [STALE], { atomic: 'mutation' }),
        push(3, [change(2, { docId: 'd1', parentMutation: 'm1' })], [rejected('d1', 'parent_refused')]),
        push(5, [change(3)], null),
        push(7, [change(4, { docId: 'd3', parentMutation: 'm3' })], [rejected('d3', 'parent_refused')]),
      ],
    ],
    [
      'a child of a patch on top of an own change, which is asked for in the same push',
      [
        created,
        push(1, [patch(2, { inc: 1 }, { parentMutation: 'm1' })], [taken(2, { docId: 'hot', seq: 2 })]),
        push(3, [change(3, { docId: 'hot', parentMutation: 'm2' })], [rejected('hot', 'parent_refused')]),
      ],
    ],
    [
      'a conflict with what the same batch had made, which is gone',
      [
        push(
          1,
          [change(1), patch(2, { inc: 1 }, { docId: 'd1' })],
          [rejected('d1', 'batch_rolled_back'), rejected('d1', 'conflict_deleted')],
        ),
      ],
    ],
    [
      'scopes that are taken away and given again',
      [
        access(1, 'write'),
        pull(3, 'p0', null, [], entry(1), CLUB),
        access(10, 'none'),
        pull(12, 'p0', v(1), [], entry(1), {
          ...CLUB,
          page: null,
          answer: { status: 403, code: 'scope_forbidden' },
        }),
        // Sent before, answered after: either is right.
        pull(19, 'p1', v(1), [], entry(1), { ...CLUB, answeredAt: 22 }),
        access(20, 'write', { answer: null }),
        pull(30, 'p0', v(1), [], entry(1), CLUB),
      ],
    ],
    ['digests that are right', [digested(HALF_DAY, {}), finalPull([DIGESTED.seen], HALF_DAY + 5)]],
    [
      'a digest without the tombstones that may have been removed',
      [
        digest(
          HALF_DAY,
          DIGESTED.seen.version,
          [{ collection: 'notes', live: DIGESTED.nothing, deleted: DIGESTED.nothing }],
          { tombstoneFloor: DIGESTED.seen.version },
        ),
        finalPull([{ ...DIGESTED.seen, operation: 'delete' }], HALF_DAY + 5),
      ],
    ],
    [
      'a push that is refused in the same way over the socket',
      [
        probe('socket-push', 400, 'malformed_request', {
          expected: { status: 400, code: 'malformed_request' },
        }),
      ],
    ],
  ];

  const HELD: readonly (readonly [string, HistoryEvent[]])[] = [
    [
      'an unanswered batch that never arrived',
      [push(1, BATCH, null), finalPull([entry(1, { marker: null }), entry(2, { marker: null })])],
    ],
    [
      'half of an unanswered batch that was sent again in other company',
      [push(1, BATCH, null), push(3, [change(1)], [taken(1)]), finalPull([entry(1)])],
    ],
    [
      'a rolled-back change that was taken later',
      [
        push(1, BATCH, [rejected('d1', 'batch_rolled_back'), { ...STALE, docId: 'd2' }]),
        push(3, [change(1)], [taken(1)]),
        finalPull([entry(1)]),
      ],
    ],
    [
      'a batch rolled back but for what an earlier push had been answered',
      [
        push(1, [change(1)], [taken(1)]),
        push(3, BATCH, [taken(1, { replayed: true }), { ...STALE, docId: 'd2' }]),
        finalPull([entry(1)]),
      ],
    ],
    [
      'a merge that kept the marker of the other side',
      [
        push(1, [change(1)], [taken(1)]),
        push(
          3,
          [change(2, { docId: 'd1' })],
          [
            taken(2, {
              docId: 'd1',
              status: 'conflict_resolved',
              serverVersion: v(1),
              serverDocument: { version: v(2), deleted: false },
            }),
          ],
        ),
        finalPull([entry(1), entry(2, { docId: 'd1', marker: 'main-1' })]),
      ],
    ],
    [
      'a trimmed log that says so, read from a full resync on',
      [
        pull(1, 'p0', null, [entry(1)], entry(1)),
        pull(10, 'final-main', null, [], entry(1), { page: { resync: 'too_old' } }),
        full(12, v(2), [row(entry(1)), row(entry(2))]),
        pull(14, 'final-main', v(2), [entry(3)], entry(3)),
      ],
    ],
    [
      'a reader of one collection',
      [
        pull(1, 'p0', null, [entry(1), entry(3)], entry(3), { collections: ['notes'] }),
        finalPull([entry(1), entry(2, { collection: 'cards' }), entry(3)]),
      ],
    ],
    [
      'a reader of one collection that ends at the last entry of a push that it asked for',
      [
        push(1, [change(1), change(2), change(3, { collection: 'cards' })], [taken(1), taken(2), taken(3)]),
        pull(1, 'p0', null, [entry(1), entry(2)], entry(2), { collections: ['notes'] }),
        finalPull([entry(1), entry(2), entry(3, { collection: 'cards' })]),
      ],
    ],
    [
      'a reader that broke off before the end',
      [
        subscribed(0),
        got(1, entry(1)),
        stream(2, { is: 'closed', code: 1006 }),
        push(3, [change(2)], [taken(2)]),
        finalPull([entry(1), entry(2)]),
      ],
    ],
    [
      'a delete of a tombstone, which writes nothing',
      [
        push(1, [change(1, { operation: 'delete', marker: null })], [taken(1)]),
        push(3, [change(2, { operation: 'delete', marker: null, docId: 'd1' })], [taken(1)]),
        finalPull([entry(1, { operation: 'delete', marker: null, digest: null })]),
      ],
    ],
    [
      'a full resync with a document newer than its cursor',
      [full(3, v(1), [row(entry(2, { docId: 'd1' }))]), finalPull([entry(1), entry(2, { docId: 'd1' })])],
    ],
  ];

  it.each(NEW_HELD)('%s', (_, events) => {
    const verdict = judge(history(...events));
    expect(verdict.findings.flatMap(({ violations }) => violations.map(({ message }) => message))).toEqual(
      [],
    );
  });

  it.each(HELD)('%s', (_, events) => {
    const verdict = judge(history(...events));
    expect(verdict.findings.flatMap(({ violations }) => violations.map(({ message }) => message))).toEqual(
      [],
    );
  });
});

describe('what it shows', () => {
  it('is cut down to what matters, the shortest first, in the order of time', () => {
    const seen = Array.from({ length: 60 }, (_, index) => entry(index + 1));
    const finding = findingOf(
      3,
      pull(
        1,
        'p0',
        null,
        seen.filter(({ seq }) => seq !== 30 && seq !== 50),
        seen.at(-1)!,
      ),
      finalPull(seen),
    );
    expect(finding.violated).toBe(2);
    for (const { history: shown } of finding.violations) {
      expect(
        shown.map((event) =>
          event.kind === 'pull' && event.page && 'changes' in event.page ? event.page.changes.length : -1,
        ),
      ).toEqual([1, 1]);
    }
  });

  it('is at most 20 of an invariant, and counts all', () => {
    const seen = Array.from({ length: 200 }, (_, index) => entry(index + 1));
    const finding = findingOf(
      3,
      pull(
        1,
        'p0',
        null,
        seen.filter(({ seq }) => seq % 2 === 0),
        seen.at(-1)!,
      ),
      finalPull(seen),
    );
    expect(finding).toMatchObject({ violated: 100 });
    expect(finding.violations).toHaveLength(20);
  });

  it('says that nobody read the log to its end', () => {
    const finding = findingOf(3, push(1, [change(1)], [taken(1)]));
    expect(finding).toMatchObject({
      violated: 0,
      unchecked: [expect.stringContaining('No reader came to the end')],
    });
  });

  it('does not ask for fresh reads while faults are injected', () => {
    const events = [
      push(1, [change(2)], [taken(2)]),
      pull(5, 'p0', null, [entry(1)], entry(1)),
      finalPull([entry(1), entry(2)]),
    ];
    expect(
      judge({ seed: 1, events, disturbed: true, clock: { startedAt: STARTED_AT, serverAhead: 0 } }).held,
    ).toBe(true);
  });
});
