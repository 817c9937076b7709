import { Logger } from '@nestjs/common';
import { SyncError } from 'nest-offline-sync-protocol';
import { within } from '../database/waiting';
import { notABoolean, settled } from './answers';

/**
 * Hears what the app's own code answers. An answer of a wrong type is a mistake in the app: its log says so once for
 * each port, with the remedy, and it is never taken for a yes or for a document.
 */
export class PortAnswers {
  private readonly logger = new Logger('SyncModule');
  private readonly told = new Set<string>();

  /** @param limitMs how long an answer may take */
  constructor(private readonly limitMs: number) {}

  /**
   * Whether an answer is `true`, or a promise or an Observable of it.
   *
   * @param port the option, for the log
   * @throws SyncError `unavailable` when it does not come in time; else what the answer fails with
   */
  async isYes(port: string, answer: unknown): Promise<boolean> {
    const value = await this.valueOf(port, answer);
    const wrong = notABoolean(value);
    if (wrong === undefined) return value === true;
    this.complain(
      port,
      `answered ${wrong} where only true or false count: access is denied. Return true, false, or a promise or an Observable of them`,
    );
    return false;
  }

  /**
   * Says so when an answer is no document. The checks of the data refuse it.
   *
   * @param wrong what stands there in its place, if that is so
   */
  expectDocument(port: string, wrong: string | undefined): void {
    if (wrong !== undefined)
      this.complain(
        port,
        `gave ${wrong} where a document was expected: the change is rejected. Return a plain object, or a promise of one`,
      );
  }

  /** Once for each port: a log that a busy client can fill says less. */
  complain(port: string, problem: string): void {
    if (this.told.has(port)) return;
    this.told.add(port);
    this.logger.error(`${port} ${problem}.`);
  }

  /**
   * What comes out of an answer: of a promise, or of an Observable. Of whatever type it is.
   *
   * @throws SyncError `unavailable` when it does not come in time; else what the answer fails with
   */
  async valueOf(port: string, answer: unknown): Promise<unknown> {
    const isThere = ['boolean', 'string'].includes(typeof answer) || Array.isArray(answer);
    return isThere ? answer : this.inTime(port, answer);
  }

  private inTime(port: string, answer: unknown): Promise<unknown> {
    const late = (): never => {
      this.complain(
        port,
        `gave no answer within ${this.limitMs} ms. An Observable must complete: end it with first() or take(1)`,
      );
      throw new SyncError(
        'unavailable',
        'What may be done here could not be found out in time. Try again later.',
      );
    };
    return within(this.limitMs, (signal) => settled(answer, signal), late);
  }
}

/** The steps of a collection's preparation that are the app's own code, and which of them is slow. */
export class AppSteps {
  private readonly running = new Map<object, string>();
  private readonly lastMs = new Map<string, number>();

  /** The same step, watched. */
  watched<A extends readonly unknown[], R>(
    step: string,
    run: (...args: A) => R | Promise<R>,
  ): (...args: A) => Promise<R> {
    return async (...args) => {
      const call = {};
      const started = performance.now();
      this.running.set(call, step);
      try {
        return await run(...args);
      } finally {
        this.running.delete(call);
        this.lastMs.set(step, performance.now() - started);
      }
    };
  }

  /** The step that is waited for the longest; else the one that took the most time when it last ran. */
  get slowest(): string | undefined {
    const [waitedFor] = this.running.values();
    if (waitedFor !== undefined) return waitedFor;
    return [...this.lastMs].sort(([, a], [, b]) => b - a)[0]?.[0];
  }
}
