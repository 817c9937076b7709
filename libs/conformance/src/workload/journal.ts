import { performance } from 'node:perf_hooks';
import type { History, HistoryEvent } from '../history';
import { noFeatures, type Features } from './features';
import type { Settings } from './settings';

/** Everything that happened, in the order in which it became known. */
export class Journal {
  readonly events: HistoryEvent[] = [];
  readonly count = { pushes: 0, changes: 0, unanswered: 0, seen: 0, subscriptions: 0 };
  private readonly beganAt = performance.now();
  private pushes = 0;

  private readonly startedAt = Date.now();
  private serverAhead: number | null = null;

  /** Of the server, in the scope of the tenant under test. */
  features: Features = noFeatures;

  constructor(private readonly settings: Settings) {}

  /** Milliseconds since the run began. */
  now(): number {
    return performance.now() - this.beganAt;
  }

  nextPushId(): number {
    return (this.pushes += 1);
  }

  /** @param date of an answer that came just now, as its header says it */
  hearServerTime(date: string | null): void {
    if (this.serverAhead !== null || date === null) return;
    const ahead = Date.parse(date) - Date.now();
    if (!Number.isNaN(ahead)) this.serverAhead = ahead;
  }

  add(event: HistoryEvent): void {
    this.events.push(event);
    switch (event.kind) {
      case 'push':
        this.count.pushes += 1;
        this.count.changes += event.changes.length;
        if (event.answer === null) this.count.unanswered += 1;
        return;
      case 'pull':
        if (event.page !== null && 'changes' in event.page) this.count.seen += event.page.changes.length;
        return;
      case 'stream':
        if (event.what.is === 'entry') this.count.seen += 1;
        if (event.what.is === 'subscribed') this.count.subscriptions += 1;
        return;
      default:
    }
  }

  history(): History {
    const { seed, disturbed, command } = this.settings;
    return {
      seed,
      events: this.events,
      clock: { startedAt: this.startedAt, serverAhead: this.serverAhead },
      disturbed,
      features: [...this.features],
      ...(command === undefined ? {} : { command }),
    };
  }
}
