import { Inject, Injectable } from '@nestjs/common';
import type { mongo } from 'mongoose';
import { SyncMetrics } from '../metrics/metrics';
import { OplogRepository } from '../oplog/oplog.repository';
import { abortQuietly, commitUntil, TRANSACTION_OPTIONS } from '../push/committer.service';
import { busy, PushQueue } from '../push/push-queue.service';
import { retryPauseMs } from '../push/retry-pause';
import { isRetryable } from '../push/retry.repository';
import type { SyncSettings } from '../sync.settings';
import { SYNC_METRICS, SYNC_SETTINGS } from '../sync.tokens';
import { ScopeWriter, type OpenHeads } from './scope-writer.service';

/** One attempt of a transaction, as its body sees it. */
export interface Attempt {
  readonly session: mongo.ClientSession;
  readonly heads: OpenHeads;
}

/**
 * Runs the app's own transaction to the end, over conflicts, up to the deadline.
 *
 * The first attempt takes the scope's head last, so that it costs the pushes nothing. After a conflict it takes the
 * head first and holds the scope's turn in this process: beside a busy scope it would never get through otherwise,
 * and done so from the start it would starve the pushes.
 */
@Injectable()
export class TransactionRunner {
  constructor(
    private readonly oplog: OplogRepository,
    private readonly writer: ScopeWriter,
    private readonly queue: PushQueue,
    @Inject(SYNC_SETTINGS) private readonly settings: SyncSettings,
    @Inject(SYNC_METRICS) private readonly metrics: SyncMetrics,
  ) {}

  /**
   * @param body runs once an attempt, in a transaction of its own; whatever it throws leaves nothing behind
   * @param own a session without an open transaction to run in; default: a new one
   * @throws SyncError `busy` past the deadline; else what `body` threw
   */
  async run<T>(
    scopeId: string,
    body: (attempt: Attempt) => Promise<T>,
    own?: mongo.ClientSession,
  ): Promise<T> {
    const deadline = performance.now() + this.settings.retryDeadlineMs;
    const session = own ?? this.oplog.client.startSession();
    try {
      for (let attempts = 0; ; attempts++) {
        const release = attempts === 0 ? undefined : await this.queue.holdTurn(scopeId);
        try {
          return await this.attempt(session, scopeId, attempts > 0, deadline, body);
        } catch (error) {
          if (!isRetryable(error)) throw error;
          this.metrics.transactionRetry();
          if (performance.now() > deadline) throw busy('The transaction met conflicts until its deadline');
          await pause(retryPauseMs(attempts, Math.random()));
        } finally {
          release?.();
        }
      }
    } finally {
      if (!own) await session.endSession();
    }
  }

  private async attempt<T>(
    session: mongo.ClientSession,
    scopeId: string,
    lockFirst: boolean,
    deadline: number,
    body: (attempt: Attempt) => Promise<T>,
  ): Promise<T> {
    const heads: OpenHeads = new Map();
    session.startTransaction(TRANSACTION_OPTIONS);
    try {
      if (lockFirst) await this.writer.lock(session, scopeId);
      const result = await body({ session, heads });
      await this.writer.closeHeads(session, heads);
      await commitUntil(session, deadline);
      return result;
    } finally {
      if (session.inTransaction()) await abortQuietly(session);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
