import type { History, PullEvent, PushEvent, SentChange } from '../../../libs/conformance/src/history';
import type { InvariantNumber, Verdict } from '../../../libs/conformance/src/verdict';
import type { Injected } from './conduct';
import type { Election } from './primary-watch';

/** How long the service took to work again after a new primary. Milliseconds. */
export interface Recovery {
  /** The fault that was done last to a member, or null: an election of the members' own. */
  readonly fault: string | null;
  readonly electedAt: number;
  /** From the fault to the first acknowledged push after the election. */
  readonly sinceFaultMs: number | null;
  /** From the election to that push; null: none came. */
  readonly firstAckMs: number | null;
  /** From the election until every client that went on pushing was acknowledged again. */
  readonly everyClientMs: number | null;
}

export interface Figures {
  readonly faults: Readonly<Record<string, number>>;
  readonly pushes: number;
  readonly changesSent: number;
  readonly changesAcknowledged: number;
  /** Changes by what they are, and pushes by how they went and where: what the workload was made of. */
  readonly made: Readonly<Record<string, number>>;
  /** Of pushes, by status and code; `none` where no answer came. */
  readonly answers: Readonly<Record<string, number>>;
  /** Violations of invariants 2 and 3. */
  readonly holes: number;
  /** Of 4. */
  readonly doubles: number;
  /** Of 5. */
  readonly leaks: number;
  /** Of 1. */
  readonly halfBatches: number;
  readonly otherViolations: number;
  /** Facts that were compared, by invariant. */
  readonly checks: Readonly<Record<string, number>>;
  /** From a push that was not acknowledged at once to the client's next one that was. */
  readonly longestPushOutageMs: number;
  /** The same of pulls. */
  readonly longestPullOutageMs: number;
  readonly recoveries: readonly Recovery[];
}

/** After this time, a connection between a fault of a member and an election is a coincidence. */
const FAULT_TO_ELECTION_MS = 40_000;

export function figuresOf(
  history: History,
  verdict: Verdict,
  injected: readonly Injected[],
  elections: readonly Election[],
): Figures {
  const pushes = history.events.filter((event) => event.kind === 'push');
  // A writer's look at what it has pushed is not tried again at once: the time to its next one is no outage.
  const pulls = history.events.filter(
    (event) => event.kind === 'pull' && !event.reader.includes('-writer-'),
  ) as PullEvent[];
  const violations = (...numbers: InvariantNumber[]): number =>
    verdict.findings
      .filter(({ invariant }) => numbers.includes(invariant))
      .reduce((sum, finding) => sum + finding.violated, 0);
  const acknowledged = pushes.filter(isAcknowledged);
  return {
    faults: count(injected.map(({ fault }) => fault.kind)),
    pushes: pushes.length,
    changesSent: pushes.reduce((sum, { changes }) => sum + changes.length, 0),
    changesAcknowledged: acknowledged.reduce(
      (sum, { results }) => sum + (results ?? []).filter(({ newVersion }) => newVersion !== null).length,
      0,
    ),
    made: count([
      ...pushes.flatMap(({ changes }) => changes.flatMap(kindsOf)),
      ...pushes.flatMap(({ via, scope }) => [
        `pushes over ${via ?? 'http'}`,
        ...(scope === undefined ? [] : ['pushes into other scopes']),
      ]),
      ...history.events.flatMap((event) => {
        if (event.kind === 'access') return [`scopes ${event.level === 'none' ? 'taken away' : 'given'}`];
        if (event.kind === 'digest') return ['digests'];
        if (event.kind === 'pull' && event.bySeq) return ['pulls by seq'];
        return event.kind === 'stream' && event.what.is === 'lost' ? ['scope_lost on a socket'] : [];
      }),
    ]),
    answers: count(
      pushes.map(({ answer }) =>
        answer === null ? 'none' : [answer.status, answer.code].filter((part) => part !== null).join(' '),
      ),
    ),
    holes: violations(2, 3),
    doubles: violations(4),
    leaks: violations(5),
    halfBatches: violations(1),
    otherViolations: violations(6, 7, 8, 9, 10, 11),
    checks: Object.fromEntries(verdict.findings.map(({ invariant, checks }) => [invariant, checks])),
    longestPushOutageMs: longestOutage(pushes.map((push) => ({ ...push, who: who(push) }))),
    longestPullOutageMs: longestOutage(
      pulls.map((pull) => ({ ...pull, who: `${pull.tenant} ${pull.reader}` })),
    ),
    recoveries: elections.map((election) => recoveryOf(election, pushes, injected)),
  };
}

interface Asked {
  readonly who: string;
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly answer: PushEvent['answer'];
}

/** An answer that refuses the request for what it is, is an answer. */
function longestOutage(asked: readonly Asked[]): number {
  const since = new Map<string, number>();
  let longest = 0;
  for (const { who: name, sentAt, answeredAt, answer } of [...asked].sort(
    (a, b) => a.answeredAt - b.answeredAt,
  )) {
    const began = Math.min(since.get(name) ?? Infinity, sentAt);
    longest = Math.max(longest, answeredAt - began);
    if (answer !== null && answer.status < 500) since.delete(name);
    else since.set(name, began);
  }
  return Math.round(longest);
}

function recoveryOf({ at }: Election, pushes: readonly PushEvent[], injected: readonly Injected[]): Recovery {
  const last = injected.findLast(
    ({ fault, startedAt }) =>
      /^(primary|secondary|set|disk)-/.test(fault.kind) &&
      startedAt < at &&
      at - startedAt < FAULT_TO_ELECTION_MS,
  );
  const firsts = new Map<string, number>();
  for (const push of pushes)
    // Who is put out of a scope waits for something else.
    if (isAcknowledged(push) && push.scope === undefined && push.answeredAt > at)
      firsts.set(who(push), Math.min(firsts.get(who(push)) ?? Infinity, push.answeredAt));
  const acks = [...firsts.values()];
  const first = acks.length === 0 ? null : Math.min(...acks);
  return {
    fault: last?.fault.kind ?? null,
    electedAt: Math.round(at),
    sinceFaultMs: first === null || !last ? null : Math.round(first - last.startedAt),
    firstAckMs: first === null ? null : Math.round(first - at),
    everyClientMs: acks.length === 0 ? null : Math.round(Math.max(...acks) - at),
  };
}

function kindsOf({ operation, patch, group, parentMutation, marker }: SentChange): string[] {
  return [
    operation !== 'patch' ? `${operation}s` : marker === null ? 'patches that set nothing' : 'other patches',
    ...(patch !== undefined && patch.inc > 0 ? ['incs'] : []),
    ...(group === undefined ? [] : ['changes in groups']),
    ...(parentMutation === undefined ? [] : ['changes on an own mutation']),
  ];
}

/** Both tenants' clients have the same names. */
function who({ tenant, client }: PushEvent): string {
  return `${tenant} ${client}`;
}

function isAcknowledged({ answer, results }: PushEvent): boolean {
  return answer?.status === 200 && results !== null;
}

function count(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of [...names].sort()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
