import type { AppWriteEvent, HistoryEvent } from '../history';
import { cutRead } from './evidence';
import type { FindingBuilder } from './finding-builder';
import { evidenceFor, type LogEntry, type ScopeIndex } from './scope-index';
import { evidenceOf, tookEffect, type Sending } from './sendings';

/** At `at` the checker had learned of `version`, so it was committed before. */
interface Fact {
  readonly at: number;
  readonly version: string;
  readonly shown: () => HistoryEvent[];
}

/** The entry of a request that was not sent before `sentAt`. */
interface Later {
  readonly sentAt: number;
  readonly entry: LogEntry;
  readonly shown: () => HistoryEvent[];
}

/** What was known before a request was sent has a smaller version than what that request wrote. */
export function judgeRealTime(scope: ScopeIndex, found: FindingBuilder): void {
  const facts = factsOf(scope);
  const laters = latersOf(scope).sort((a, b) => a.sentAt - b.sentAt);
  let next = 0;
  let newest: Fact | null = null;
  for (const later of laters) {
    for (let fact = facts[next]; fact !== undefined && fact.at < later.sentAt; fact = facts[next]) {
      if (newest === null || fact.version > newest.version) newest = fact;
      next += 1;
    }
    const before: Fact | null = newest;
    if (before === null) continue;
    found.checked();
    if (later.entry.version > before.version) continue;
    found.violated(
      () =>
        `${before.version} was known before the request was sent that wrote ${later.entry.version}, which is not ` +
        `above it (${scope.name}).`,
      () => [...before.shown(), ...later.shown()],
    );
  }
}

function factsOf(scope: ScopeIndex): Fact[] {
  const facts: Fact[] = [];
  for (const entry of scope.known.values()) {
    const { ack, version, sight } = entry;
    if (ack !== null) facts.push({ at: ack.push.answeredAt, version, shown: () => evidenceOf(ack) });
    if (sight === null) continue;
    const at = sight.event.kind === 'pull' ? sight.event.answeredAt : sight.event.at;
    facts.push({ at, version, shown: () => [cutRead(sight.event, version)] });
  }
  return facts.sort((a, b) => a.at - b.at);
}

function latersOf(scope: ScopeIndex): Later[] {
  const laters: Later[] = [];
  for (const entry of scope.known.values()) {
    const first = firstSent(writersOf(scope, entry));
    const write = scope.appWriteByMarker.get(entry.sight?.entry.marker ?? '');
    if (first !== null) {
      const { sentAt } = first.push;
      laters.push({ sentAt, entry, shown: () => [...evidenceOf(first), ...evidenceFor(entry)] });
    } else if (write !== undefined) {
      laters.push(laterOf(write, entry));
    }
  }
  return laters;
}

function laterOf(write: AppWriteEvent, entry: LogEntry): Later {
  return { sentAt: write.sentAt, entry, shown: () => [write, ...evidenceFor(entry)] };
}

/** What wrote the entry: as it says itself, or, if nobody saw it, from the answer that named it. */
function writersOf(scope: ScopeIndex, entry: LogEntry): readonly Sending[] {
  const { sight, ack } = entry;
  if (sight !== null) return scope.writersOf(entry);
  if (ack === null || !tookEffect(ack.result) || ack.result?.replayed === true) return [];
  return ack.result?.status === 'accepted' && ack.change.marker !== null ? scope.sendingsOf(ack) : [];
}

function firstSent(sendings: readonly Sending[]): Sending | null {
  let first: Sending | null = null;
  for (const sending of sendings) {
    if (first === null || sending.push.sentAt < first.push.sentAt) first = sending;
  }
  return first;
}
