import { randomUUID } from 'node:crypto';
import type { Logger } from '@nestjs/common';
import {
  pushedText,
  pushFailedText,
  SyncError,
  type PushId,
  type PushMessage,
} from 'nest-offline-sync-protocol';
import { retryAfter, toldFailure } from '../failures/failure';
import type { SyncIdentity } from '../identity/identity';
import type { PushService } from '../push/push.service';
import type { SyncSettings } from '../options/settings';
import type { Outbound } from './outbound';
import { PushWindow } from './push-window';
import type { ServerSocket } from './socket-server';

/** What the pushes of a socket work with. */
export interface PushSurroundings {
  readonly socket: Pick<ServerSocket, 'pause' | 'resume'>;
  readonly outbound: Pick<Outbound, 'answer' | 'isFull'>;
  readonly limits: SyncSettings['limits'];
  readonly pushes: Pick<PushService, 'push'>;
  readonly logger: Logger;
  /** In the order of the messages: whose push it is, by credentials that hold at this moment. */
  identify(): Promise<SyncIdentity>;
}

interface Pending extends PushMessage {
  readonly bytes: number;
}

/**
 * A socket's pushes: the same as over HTTP, each with an answer of its own, whenever that is there. So many are under way
 * at a time; a client that sends more, or does not read its answers, is not read from until it is even (invariant 9).
 */
export class SocketPushes {
  private readonly window: PushWindow<Pending>;
  private paused = false;
  /** Begins nothing more. */
  private leaving = false;
  private settled: () => void = () => undefined;

  constructor(private readonly around: PushSurroundings) {
    const { maxSocketPushes, maxPushBytes } = around.limits;
    this.window = new PushWindow({ pushes: maxSocketPushes, bytes: maxPushBytes });
  }

  /** Whether the socket is not read from at the moment, so that nothing can be heard of its peer. */
  get isPaused(): boolean {
    return this.paused;
  }

  /** @param bytes how large its message was */
  take(message: PushMessage, bytes: number): void {
    if (this.leaving) return this.refuse(message.id, shuttingDown());
    const push = { ...message, bytes };
    const admission = this.window.offer(push, this.around.outbound.isFull);
    if (admission === 'id in use') return this.refuse(message.id, idInUse());
    if (admission === 'begins') return void this.carryOut(push);
    this.pause();
  }

  /** There is room for answers again. */
  goOn(): void {
    while (!this.around.outbound.isFull) {
      const push = this.window.next();
      if (!push) break;
      void this.carryOut(push);
    }
    if (!this.window.isHeldUp) this.resume();
  }

  /**
   * Begins nothing more: what waits is refused, since another process will take it.
   *
   * @returns when all that had begun is answered
   */
  async leave(): Promise<void> {
    this.leaving = true;
    for (const { id } of this.window.withdraw()) this.refuse(id, shuttingDown());
    if (this.window.underWay === 0) return;
    await new Promise<void>((resolve) => (this.settled = resolve));
  }

  /** The socket closes. What has begun goes on, as a request whose client has gone; its answer reaches nobody. */
  end(): void {
    this.leaving = true;
    this.window.withdraw();
    // Else the peer's own close would never be read.
    this.resume();
    this.settled();
  }

  private async carryOut(push: Pending): Promise<void> {
    const answer = await this.answerTo(push);
    this.window.end(push);
    this.around.outbound.answer(answer);
    this.goOn();
    if (this.leaving && this.window.underWay === 0) this.settled();
  }

  private async answerTo({ id, body }: PushMessage): Promise<string> {
    try {
      const identity = await this.around.identify();
      return pushedText(id, await this.around.pushes.push(identity, body));
    } catch (error) {
      return this.failure(id, error);
    }
  }

  private refuse(id: PushId, error: SyncError): void {
    this.around.outbound.answer(this.failure(id, error));
    if (this.around.outbound.isFull) this.pause();
  }

  private failure(id: PushId, error: unknown): string {
    const { told, log } = toldFailure(error, randomUUID);
    if (log) this.around.logger[log.level](log.text);
    return pushFailedText(id, told, retryAfter(told));
  }

  private pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.around.socket.pause();
  }

  private resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.around.socket.resume();
  }
}

function shuttingDown(): SyncError {
  return new SyncError('shutting_down', 'The server is going down. Open another socket and send it again.');
}

function idInUse(): SyncError {
  return new SyncError(
    'push_id_in_use',
    'A push with this id has no answer yet; that one goes on. Give each push of a socket an id of its own.',
    { path: 'id' },
  );
}
