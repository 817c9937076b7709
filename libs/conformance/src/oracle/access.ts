import type { AccessEvent, HistoryEvent, StreamEvent, Tenant } from '../history';
import { cutFull, cutPull, cutPush } from './evidence';
import type { FindingBuilder } from './finding-builder';
import { nameOf } from './gaps';
import type { HistoryIndex } from './history-index';
import type { ScopeIndex } from './scope-index';

/** How long after the app took a scope away its sockets may still get what is written then. */
const GRACE_MS = 5_000;
/** A frozen process, or one that is cut off from the database, notices later. */
const DISTURBED_GRACE_MS = 30_000;

const NOT_THERE = 'scope_forbidden';

/** A time in which the app surely said the same of a tenant and a scope. */
interface Period {
  readonly level: AccessEvent['level'];
  readonly from: number;
  readonly to: number;
  readonly event: AccessEvent;
}

/** Nothing of a scope for an identity that the app does not let into it at that moment, and everything for one it does. */
export function judgeAccess(index: HistoryIndex, found: FindingBuilder): void {
  const grace = index.history.disturbed === true ? DISTURBED_GRACE_MS : GRACE_MS;
  for (const scope of index.scopes) {
    for (const events of scope.streams.values()) nothingAfterLoss(scope, events, found);
    for (const tenant of ['main', 'other'] as const) {
      const periods = periodsOf(index.accesses, tenant, scope.scope);
      if (periods.length === 0) continue;
      requests(scope, tenant, periods, found);
      for (const events of scope.streams.values())
        if (events[0]?.tenant === tenant) late(scope, events, periods, grace, found);
    }
  }
}

function periodsOf(accesses: readonly AccessEvent[], tenant: Tenant, scope: string | undefined): Period[] {
  const own = accesses
    .filter((event) => event.tenant === tenant && event.scope === scope)
    .sort((a, b) => a.sentAt - b.sentAt);
  return own.flatMap((event, at): Period[] => {
    if (event.answer?.status !== 200) return [];
    const to = own[at + 1]?.sentAt ?? Infinity;
    return [{ level: event.level, from: event.answeredAt, to, event }];
  });
}

/** Each request asks the app. */
function requests(
  scope: ScopeIndex,
  tenant: Tenant,
  periods: readonly Period[],
  found: FindingBuilder,
): void {
  const asked = [
    ...scope.pushes.map((event) => ({ event, cut: () => cutPush(event, (_, at) => at === 0) })),
    ...scope.pulls.map((event) => ({ event, cut: () => cutPull(event, []) })),
    ...scope.fulls.map((event) => ({ event, cut: () => cutFull(event, '', '') })),
    ...scope.digests.map((event) => ({ event, cut: () => event })),
  ];
  for (const { event, cut } of asked) {
    const { answer } = event;
    if (event.tenant !== tenant || answer === null || answer.status >= 500) continue;
    const period = periods.find(({ from, to }) => event.sentAt > from && event.answeredAt < to);
    if (period === undefined) continue;
    found.checked();
    const refused = answer.code === NOT_THERE;
    if (refused === (period.level === 'none')) continue;
    found.violated(
      () =>
        refused
          ? `A ${event.kind} of ${tenant} in ${scope.name} was refused with ${NOT_THERE}, though the app lets it in.`
          : `A ${event.kind} of ${tenant} in ${scope.name} was answered ${answer.status} ${answer.code ?? ''} after the app took that scope away.`,
      () => [period.event, cut()],
    );
  }
}

/** A subscription that was told that its scope is lost is over. */
function nothingAfterLoss(scope: ScopeIndex, events: readonly StreamEvent[], found: FindingBuilder): void {
  let lost: StreamEvent | null = null;
  for (const event of events) {
    if (event.what.is === 'lost') {
      lost = event;
      found.checked();
    } else if (event.what.is === 'subscribed') lost = null;
    else if (event.what.is === 'entry' && lost !== null) {
      const { entry } = event.what;
      const before: HistoryEvent = lost;
      found.violated(
        () => `${event.reader} was told that ${scope.name} is lost, and then given ${entry.version} of it.`,
        () => [before, event],
      );
    }
  }
}

/** What is written while the identity is out reaches none of its sockets, once they have had the time to notice. */
function late(
  scope: ScopeIndex,
  events: readonly StreamEvent[],
  periods: readonly Period[],
  grace: number,
  found: FindingBuilder,
): void {
  for (const event of events) {
    if (event.what.is !== 'entry') continue;
    const period = periods.find(
      ({ level, from, to }) => level === 'none' && event.at > from + grace && event.at < to,
    );
    if (period === undefined) continue;
    const entry = scope.known.get(event.what.entry.version);
    const sentAt = Math.min(...(entry ? scope.writersOf(entry) : []).map(({ push }) => push.sentAt));
    if (entry === undefined || sentAt === Infinity) continue;
    found.checked();
    if (sentAt <= period.from) continue;
    found.violated(
      () =>
        `${event.reader} was given ${nameOf(entry)} of ${scope.name} ${Math.round(event.at - period.from)} ms after the ` +
        'app took that scope away, and it was written after that.',
      () => [period.event, event],
    );
  }
}
