import type { StreamEvent } from '../history';
import type { Subscription, SubscriptionQuestion } from '../wire/subscription';
import { pause } from './pause';
import type { Random } from './random';

/** A socket takes 40 messages at once, and 10 a second from then on. */
const SUBSCRIPTIONS_A_SOCKET = 8;
/** Longest wait for the first entry of a subscription: there may be nothing new. */
const FIRST_ENTRY_MS = 500;

/** What it takes of the reader: `StreamReader` is one. */
interface BriefReader {
  readonly random: Random;
  question(anywhere: boolean): SubscriptionQuestion;
  awaits(
    isIt: (what: StreamEvent['what']) => boolean,
    limitMs: number,
    ...signals: readonly AbortSignal[]
  ): Promise<void>;
}

/**
 * One subscription after another on a socket, each left in the middle of the traffic: after its first entries, where
 * the backlog ends and what is live begins.
 */
export async function followBriefly(
  reader: BriefReader,
  socket: Subscription,
  end: AbortSignal,
  closed: AbortSignal,
): Promise<void> {
  const { random } = reader;
  const isOver = (): boolean => end.aborted || closed.aborted;
  for (let count = random.between(1, SUBSCRIPTIONS_A_SOCKET); count > 0 && !isOver(); count--) {
    await reader.awaits(({ is }) => is === 'entry', FIRST_ENTRY_MS, end, closed);
    await pause(random.next() * 60, end, closed);
    if (count > 1) {
      const begun = reader.awaits(({ is }) => is === 'subscribed', FIRST_ENTRY_MS, end, closed);
      socket.subscribe(reader.question(true));
      await begun;
    }
  }
  socket.close();
}
