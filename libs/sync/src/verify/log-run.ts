import { parseHlc } from 'nest-offline-sync-protocol';
import type { EntryRecord, HeadRecord } from '../log/records';

/** What is wrong with a scope's log itself: devices could not follow it. */
export type LogFault =
  /** There are entries, and no head. */
  | 'no head'
  /** The head's version or floor is none, or the floor lies above the head. */
  | 'bad head'
  /** Entries are missing between the floor and the head, or do not stand in the order of their versions. */
  | 'not in order'
  /** There are entries above the head. */
  | 'head behind';

type Step = Pick<EntryRecord, 'version' | 'seq'>;

/**
 * Follows the entries of a scope in the order of their versions, from the floor to the head: their seqs must run up one by one.
 * A page of them is read at a time, and the head with each: pushes and trimming may go on.
 */
export class LogRun {
  private last: Step | undefined;

  /** The version behind which the next page begins. */
  after(head: HeadRecord | null): string {
    if (!head) return '';
    // Trimmed meanwhile: what is below the floor may be gone.
    if (!this.last || this.last.version < head.floor) this.last = { version: head.floor, seq: head.floorSeq };
    return this.last.version;
  }

  /** @param isEnd there are no entries behind the page */
  take(head: HeadRecord | null, page: readonly Step[], isEnd: boolean): LogFault | undefined {
    if (!head) return page.length > 0 ? 'no head' : undefined;
    const { version, seq, floor, floorSeq } = head;
    if (![version, floor].every((text) => parseHlc(text)) || floor > version || floorSeq > seq)
      return 'bad head';
    for (const step of page) {
      if (step.version > version || step.seq > seq) return 'head behind';
      if (step.seq !== (this.last?.seq ?? 0) + 1) return 'not in order';
      this.last = step;
    }
    return isEnd && this.last?.seq !== seq ? 'not in order' : undefined;
  }
}
