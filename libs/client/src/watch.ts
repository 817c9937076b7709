import type { Environment } from './environment.ts';
import type { PusherState } from './pusher.ts';
import type { ReaderState } from './rules/reader-state.ts';
import type { Status } from './status.ts';
import type { Tell } from './telemetry.ts';

/** Tells telemetry what a scope comes to. */
export class Watch {
  private phase = '';
  private since: number;
  private readonly told = new WeakSet<object>();

  constructor(
    private readonly tell: Tell,
    private readonly clock: Pick<Environment, 'now'>,
  ) {
    this.since = clock.now();
  }

  look({ phase, blockedBy }: Status, push: PusherState, read: ReaderState): void {
    const now = this.clock.now();
    for (const [of, state] of [
      ['push', push],
      ['read', read],
    ] as const) {
      if (!('failure' in state) || this.told.has(state)) continue;
      this.told.add(state);
      this.tell({ type: 'failure', of, code: state.failure.code, retryMs: state.until - now });
    }
    const name = `${phase} ${String(blockedBy)}`;
    if (name === this.phase) return;
    this.tell({ type: 'phase', phase, blockedBy, ms: now - this.since });
    this.phase = name;
    this.since = now;
  }
}
