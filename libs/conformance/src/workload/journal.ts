import { performance } from 'node:perf_hooks';
import type { History, HistoryEvent } from '../history';

/** Everything that happened, in the order in which it became known. */
export class Journal {
  readonly events: HistoryEvent[] = [];
  readonly count = { pushes: 0, changes: 0, unanswered: 0, seen: 0, subscriptions: 0 };
  private readonly beganAt = performance.now();
  private pushes = 0;

  constructor(private readonly seed: number) {}

  /** Milliseconds since the run began. */
  now(): number {
    return performance.now() - this.beganAt;
  }

  nextPushId(): number {
    return (this.pushes += 1);
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
    return { seed: this.seed, events: this.events };
  }
}
