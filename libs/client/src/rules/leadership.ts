/**
 * Who of the tabs of one user reads and sends. A lock says it, and passes on by itself when its holder is closed or crashes. What it
 * does not see is a holder that is frozen: that one keeps it. So a tab that is needed, because the user sees it or it has a task,
 * asks now and then whether the leader is there, and takes the lock away when no answer comes.
 *
 * Asks are counted, not time: a tab that was itself asleep, or a clock that was set, makes nobody take anything away. And as only
 * answers count, timers of hidden tabs may be as slow as browsers make them.
 *
 *   lock had: leads        robbed: follows, waits for the lock again        4 asks in a row without an answer: steals
 *
 * Nothing depends on this for safety: the epoch in the database lets the newest leader alone write (C10).
 */
export const ASK_MS = 2_500;
const MAX_UNANSWERED = 4;

/** @param unanswered asks so far since the last word of the leader */
export function nextAsk(unanswered: number, isNeeded: boolean): 'rest' | 'ask' | 'steal' {
  if (!isNeeded) return 'rest';
  return unanswered < MAX_UNANSWERED ? 'ask' : 'steal';
}

/** Not all at the same time: the first one that steals says so, and the others see it. */
export function askAfter(chance: number): number {
  return Math.round(ASK_MS * (1 + 0.2 * chance));
}
