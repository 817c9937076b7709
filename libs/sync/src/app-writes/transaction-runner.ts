import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { SyncError } from 'nest-offline-sync-protocol';
import { SyncMetrics } from '../metrics/metrics';
import { EngineSessions } from '../cluster/engine-sessions';
import { abortQuietly, commitUntil, TRANSACTION_OPTIONS } from '../database/transaction';
import { CONFLICT_PAUSE, fullJitter, within } from '../database/waiting';
import { PushQueue } from '../push/queue';
import { isRetryable } from '../database/errors';
import type { SyncSettings } from '../options/settings';
import { SYNC_METRICS, SYNC_SETTINGS } from '../options/tokens';
import { ScopeHeads } from './scope-heads';
import { ScopeWriter, type Attempt } from './scope-writer';

/**
 * Runs the app's own transaction to the end, over conflicts, up to the deadline.
 *
 * The first attempt takes the scope's head last, so that it costs the pushes nothing. After a conflict it takes the
 * head first and holds the scope's turn in this process: next to a busy scope it would never get through otherwise,
 * and done so from the start it would starve the pushes.
 */
@Injectable()
export class TransactionRunner {
  constructor(
    private readonly sessions: EngineSessions,
    private readonly heads: ScopeHeads,
    private readonly writer: ScopeWriter,
    private readonly queue: PushQueue,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_METRICS) private readonly metrics: SyncMetrics,
  ) {}

  /**
   * @param body runs once an attempt, in its own transaction; whatever it throws leaves nothing behind
   * @param own a session without an open transaction to run in; default: a new one
   * @throws SyncError `busy` past the deadline; else what `body` threw
   */
  async run<T>(
    scopeId: string,
    body: (attempt: Attempt) => Promise<T>,
    own?: mongo.ClientSession,
  ): Promise<T> {
    const deadline = performance.now() + this.settings.retryDeadlineMs;
    const tries = (session: mongo.ClientSession): Promise<T> => this.tries(session, scopeId, deadline, body);
    return own ? tries(own) : this.sessions.lend(tries);
  }

  private async tries<T>(
    session: mongo.ClientSession,
    scopeId: string,
    deadline: number,
    body: (attempt: Attempt) => Promise<T>,
  ): Promise<T> {
    const touched = new Set([scopeId]);
    for (let attempts = 0; ; attempts++) {
      const release = attempts === 0 ? undefined : await this.turn(scopeId, deadline);
      try {
        return await this.attempt(session, touched, attempts > 0, deadline, body);
      } catch (error) {
        if (!isRetryable(error)) throw error;
        this.metrics.transactionRetry();
        if (performance.now() > deadline) throw busy('it met conflicts until its deadline', error);
      } finally {
        release?.();
      }
      await delay(fullJitter(attempts, CONFLICT_PAUSE, Math.random()));
    }
  }

  private async attempt<T>(
    session: mongo.ClientSession,
    touched: Set<string>,
    lockFirst: boolean,
    deadline: number,
    body: (attempt: Attempt) => Promise<T>,
  ): Promise<T> {
    session.startTransaction(TRANSACTION_OPTIONS);
    const attempt = this.writer.attemptIn(session, true);
    try {
      // All scopes of the earlier attempts, in one order for all.
      if (lockFirst) for (const scopeId of [...touched].sort()) await this.writer.lock(attempt, scopeId);
      const result = await body(attempt);
      if (attempt.lost) throw attempt.lost;
      await this.heads.moveHeads(session, attempt.heads);
      await commitUntil(session, deadline);
      return result;
    } catch (error) {
      throw failedBy(attempt.lost, error);
    } finally {
      for (const scopeId of attempt.scopes) touched.add(scopeId);
      if (session.inTransaction()) await abortQuietly(session);
    }
  }

  /** Not longer than the deadline: a transaction that is started in another one's body, and not seen to be, would wait for itself. */
  private async turn(scopeId: string, deadline: number): Promise<() => void> {
    const granted = this.queue.holdTurn(scopeId);
    const release = await within(
      Math.max(0, deadline - performance.now()),
      () => granted,
      () => undefined,
    );
    if (release) return release;
    void granted.then((unused) => {
      unused();
    });
    throw busy('its scope’s turn did not come before its deadline. Never start one inside another’s body');
  }
}

/**
 * What an attempt has failed by. The body may have swallowed or wrapped a conflict, which is retried anyway; or
 * have gone on after an error that ended the transaction, and met errors that ask for retries which cannot help.
 */
export function failedBy(lost: Error | undefined, thrown: unknown): unknown {
  return lost && (isRetryable(lost) || isRetryable(thrown)) ? lost : thrown;
}

function busy(why: string, error?: unknown): SyncError {
  return new SyncError('busy', `The transaction was given up, nothing of it was written: ${why}.`, {
    retryAfterSeconds: 1,
    cause: error,
  });
}
