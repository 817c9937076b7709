import type { PullEvent } from '../history';
import { cursorText } from './stamps';

/** A reader of all collections that came to the end of the log at the end of the run. */
export interface FinalRead {
  /** The cursor it began with, '' for the beginning. */
  readonly from: string;
  /** The last cursor it got. */
  readonly to: string;
  readonly lastSentAt: number;
}

/** The one that reads the most, of the readers whose name begins with `final`. */
export function finalReadOf(pulls: readonly PullEvent[]): FinalRead | null {
  const readers = new Map<string, { from: string; at: string }>();
  let best: FinalRead | null = null;
  for (const pull of pulls) {
    if (!pull.reader.startsWith('final') || pull.collections !== null || pull.page === null) continue;
    if ('resync' in pull.page) {
      readers.delete(pull.reader);
      continue;
    }
    const since = cursorText(pull.since);
    const before = readers.get(pull.reader);
    const from = before !== undefined && before.at === since ? before.from : since;
    readers.set(pull.reader, { from, at: pull.page.lastSeq });
    if (!pull.page.hasMore && (best === null || from <= best.from)) {
      best = { from, to: pull.page.lastSeq, lastSentAt: pull.sentAt };
    }
  }
  return best;
}
