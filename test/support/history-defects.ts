import type {
  History,
  HistoryEvent,
  PullEvent,
  PushEvent,
  Seen,
  SentChange,
  StreamEvent,
} from '../../libs/conformance/src/history';
import type { InvariantNumber } from '../../libs/conformance/src/verdict';

/** Breaks a correct history in one place; null when it has no such place. `pick` chooses one of many at random. */
export interface Defect {
  readonly name: string;
  readonly violates: InvariantNumber;
  readonly inject: (history: History, pick: <T>(of: readonly T[]) => T | undefined) => History | null;
}

type Pick = Parameters<Defect['inject']>[1];
type Page = Extract<PullEvent['page'], { readonly changes: unknown }>;
type EntryEvent = StreamEvent & { readonly what: { readonly is: 'entry'; readonly entry: Seen } };

export const DEFECTS: readonly Defect[] = [
  {
    name: 'a page without one of its entries',
    violates: 3,
    inject: (h, pick) => ofPage(h, pick, 1, without),
  },
  { name: 'a page with an entry twice', violates: 2, inject: (h, pick) => ofPage(h, pick, 1, twice) },
  {
    name: 'a page with two entries the wrong way round',
    violates: 2,
    inject: (h, pick) => ofPage(h, pick, 2, swapped),
  },
  { name: 'a stream without one of its entries', violates: 3, inject: streamHole },
  { name: 'a stream with an entry twice', violates: 2, inject: streamTwice },
  { name: 'an acknowledged change that is lost', violates: 3, inject: lostEntry },
  { name: 'a batch of which one change is lost', violates: 1, inject: splitBatch },
  { name: 'a page that ends in the middle of a push', violates: 1, inject: endInPush },
  { name: 'an entry of the other tenant', violates: 5, inject: foreignEntry },
  { name: 'a retry with another answer', violates: 4, inject: otherAnswer },
  { name: 'a mutation that took effect twice', violates: 4, inject: doubled },
  { name: 'a document of a full resync with other content', violates: 6, inject: otherRow },
  { name: 'a rejection that lost its code', violates: 10, inject: lostCode },
];

function without(page: Page, at: number): Page {
  return { ...page, changes: page.changes.filter((_, index) => index !== at) };
}

function twice(page: Page, at: number): Page {
  return { ...page, changes: page.changes.flatMap((seen, index) => (index === at ? [seen, seen] : [seen])) };
}

function swapped(page: Page, at: number): Page {
  const changes = [...page.changes];
  const from = Math.min(at, changes.length - 2);
  changes.splice(from, 2, changes[from + 1]!, changes[from]!);
  return { ...page, changes };
}

function ofPage(
  history: History,
  pick: Pick,
  atLeast: number,
  change: (page: Page, at: number) => Page,
): History | null {
  const event = pick(pagesOf(history).filter(({ page }) => page.changes.length >= atLeast));
  if (event === undefined) return null;
  const at = pick([...event.page.changes.keys()]) ?? 0;
  return replace(history, event, { ...event, page: change(event.page, at) });
}

/** Only one that something comes after: what was cut off by the end of a socket is not a hole. */
function streamHole(history: History, pick: Pick): History | null {
  const inTheMiddle = entriesOf(history).filter((event) => {
    const rest = history.events.slice(history.events.indexOf(event) + 1);
    return rest.some(
      (other) => other.kind === 'stream' && sameSocket(event, other) && other.what.is === 'entry',
    );
  });
  const event = pick(inTheMiddle);
  return event === undefined ? null : replace(history, event);
}

function sameSocket(a: StreamEvent, b: StreamEvent): boolean {
  return a.tenant === b.tenant && a.reader === b.reader && a.connection === b.connection;
}

function streamTwice(history: History, pick: Pick): History | null {
  const event = pick(entriesOf(history));
  return event === undefined ? null : replace(history, event, event, event);
}

function lostEntry(history: History, pick: Pick): History | null {
  const pushed = pushesOf(history).flatMap((push) => acknowledged(push));
  const version = pick(pushed);
  return version === undefined ? null : withoutVersion(history, version);
}

function splitBatch(history: History, pick: Pick): History | null {
  const batches = pushesOf(history).filter(
    (push) => push.atomic === 'batch' && new Set(acknowledged(push)).size > 1,
  );
  const push = pick(batches);
  const version = push === undefined ? undefined : pick(acknowledged(push));
  return version === undefined ? null : withoutVersion(history, version);
}

/** Upserts that this push itself wrote. */
function acknowledged(push: PushEvent): string[] {
  return push.changes.flatMap(({ marker }, index) => {
    const result = push.results?.[index];
    return marker !== null && result?.newVersion != null && !result.replayed ? [result.newVersion] : [];
  });
}

function withoutVersion(history: History, version: string): History {
  const events = history.events.flatMap((event): HistoryEvent[] => {
    if (event.kind === 'stream' && event.what.is === 'entry' && event.what.entry.version === version)
      return [];
    if (event.kind !== 'pull' || event.page === null || 'resync' in event.page) return [event];
    const changes = event.page.changes.filter((seen) => seen.version !== version);
    return [{ ...event, page: { ...event.page, changes } }];
  });
  return { ...history, events };
}

function endInPush(history: History, pick: Pick): History | null {
  const push = pick(pushesOf(history).filter((event) => new Set(acknowledged(event)).size > 1));
  if (push === undefined) return null;
  const [first] = acknowledged(push).sort();
  const log = logOf(history, push.tenant);
  const until = log.filter(({ version }) => version <= first!);
  const last = until.at(-1);
  if (last === undefined) return null;
  const event: PullEvent = {
    ...{ kind: 'pull', reader: 'in-between', tenant: push.tenant, since: null, collections: null },
    ...{ sentAt: push.sentAt, answeredAt: push.answeredAt, answer: { status: 200, code: null } },
    page: { changes: until, lastSeq: last.version, seq: last.seq, hasMore: false },
  };
  return { ...history, events: [...history.events, event] };
}

function foreignEntry(history: History, pick: Pick): History | null {
  const event = pick(
    pagesOf(history).filter(({ tenant, page }) => tenant === 'other' && page.changes.length > 0),
  );
  const foreign = pick(logOf(history, 'main').filter(({ marker }) => marker !== null));
  if (event === undefined || foreign === undefined) return null;
  return replace(history, event, {
    ...event,
    page: { ...event.page, changes: [...event.page.changes, foreign] },
  });
}

function otherAnswer(history: History, pick: Pick): History | null {
  // The first answer must have arrived, or the second cannot be seen to differ.
  const firsts = new Set<string>();
  for (const push of pushesOf(history)) {
    push.changes.forEach((change, index) => {
      const result = push.results?.[index];
      if (result?.status === 'accepted' && !result.replayed) firsts.add(nameOf(push, change));
    });
  }
  const isRetry = (push: PushEvent, index: number): boolean =>
    push.results?.[index]?.replayed === true && firsts.has(nameOf(push, push.changes[index]!));
  const push = pick(pushesOf(history).filter((event) => event.changes.some((_, at) => isRetry(event, at))));
  if (push === undefined) return null;
  const results = push.results!.map((result, index) =>
    isRetry(push, index) ? { ...result, newVersion: `${result.newVersion ?? ''}9` } : result,
  );
  return replace(history, push, { ...push, results });
}

function nameOf({ tenant, client }: PushEvent, { mutation }: SentChange): string {
  return `${tenant} ${client} ${mutation ?? ''}`;
}

/** The log of a tenant with one more entry of a change at its end, for everyone who reads it there. */
function doubled(history: History, pick: Pick): History | null {
  const log = logOf(history, 'main');
  const seen = pick(log.filter(({ marker }) => marker !== null && !marker.includes('app')));
  const last = log.at(-1);
  if (seen === undefined || last === undefined) return null;
  const again: Seen = { ...seen, version: `${last.version}9`, seq: last.seq + 1 };
  const event: PullEvent = {
    ...{ kind: 'pull', reader: 'final-again', tenant: 'main', since: last.version, collections: null },
    ...{ sentAt: 1e9, answeredAt: 1e9 + 1, answer: { status: 200, code: null } },
    page: { changes: [again], lastSeq: again.version, seq: again.seq, hasMore: false },
  };
  return { ...history, events: [...history.events, event] };
}

function otherRow(history: History, pick: Pick): History | null {
  const event = history.events.findLast(
    (other) => other.kind === 'full' && other.reader === 'final-full-main',
  );
  if (event?.kind !== 'full' || event.rows === null) return null;
  const row = pick(event.rows.filter(({ deleted }) => !deleted));
  if (row === undefined) return null;
  const rows = event.rows.map((other) => (other === row ? { ...other, digest: 'other' } : other));
  return replace(history, event, { ...event, rows });
}

function lostCode(history: History, pick: Pick): History | null {
  const push = pick(
    pushesOf(history).filter(({ results }) => results?.some(({ status }) => status === 'rejected')),
  );
  if (push === undefined) return null;
  const results = push.results!.map((result) => ({ ...result, code: null }));
  return replace(history, push, { ...push, results });
}

function replace(history: History, event: HistoryEvent, ...by: readonly HistoryEvent[]): History {
  return { ...history, events: history.events.flatMap((other) => (other === event ? by : [other])) };
}

function pushesOf({ events }: History): PushEvent[] {
  return events.filter((event) => event.kind === 'push');
}

function pagesOf({ events }: History): (PullEvent & { readonly page: Page })[] {
  return events.filter(
    (event): event is PullEvent & { readonly page: Page } =>
      event.kind === 'pull' && event.page !== null && 'changes' in event.page,
  );
}

function entriesOf({ events }: History): EntryEvent[] {
  return events.filter((event): event is EntryEvent => event.kind === 'stream' && event.what.is === 'entry');
}

function logOf(history: History, tenant: string): readonly Seen[] {
  return pagesOf(history)
    .filter((event) => event.tenant === tenant && event.reader === `final-${tenant}`)
    .flatMap(({ page }) => page.changes);
}
