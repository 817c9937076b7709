import type { FullEvent, HistoryEvent, PullEvent, PushEvent, SentChange, StreamEvent } from '../history';

/** When an event began, in milliseconds of the run. */
export function timeOf(event: HistoryEvent): number {
  return 'sentAt' in event ? event.sentAt : event.at;
}

/** How much there is to read of an event: itself and its rows. */
export function weight(event: HistoryEvent): number {
  switch (event.kind) {
    case 'push':
      return 1 + event.changes.length;
    case 'pull':
      return 1 + (event.page !== null && 'changes' in event.page ? event.page.changes.length : 0);
    case 'full':
      return 1 + (event.rows?.length ?? 0);
    default:
      return 1;
  }
}

/** The push with only those of its changes that matter. */
export function cutPush(push: PushEvent, matters: (change: SentChange, index: number) => boolean): PushEvent {
  const kept = push.changes.map((change, index) => matters(change, index));
  return {
    ...push,
    changes: push.changes.filter((_, index) => kept[index]),
    results: push.results?.filter((_, index) => kept[index] ?? true) ?? null,
  };
}

/** The pull with only those of its rows that matter. */
export function cutPull(pull: PullEvent, versions: readonly string[]): PullEvent {
  if (pull.page === null || !('changes' in pull.page)) return pull;
  const changes = pull.page.changes.filter(({ version }) => versions.includes(version));
  return { ...pull, page: { ...pull.page, changes } };
}

/** A pull or a stream message with only the entries of these versions. */
export function cutRead(event: PullEvent | StreamEvent, ...versions: readonly string[]): HistoryEvent {
  return event.kind === 'pull' ? cutPull(event, versions) : event;
}

/** The full resync with only the rows of one document. */
export function cutFull(full: FullEvent, collection: string, docId: string): FullEvent {
  const rows = full.rows?.filter((row) => row.collection === collection && row.docId === docId) ?? null;
  return { ...full, rows };
}
