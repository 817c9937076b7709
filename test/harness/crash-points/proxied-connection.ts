import type { Socket } from 'node:net';
import type { CrashPoint, Fault, Step } from './crash-point';
import { answeredRequest, commandOf, FrameReader, type WireCommand } from './wire-frames';

/** Whose command it is; undefined for what belongs to no case. */
export type Owner = (command: WireCommand, frame: Buffer) => CrashPoint | undefined;

interface Pending {
  readonly point: CrashPoint;
  readonly step: Step;
  readonly fault: Fault | undefined;
}

/** One connection of a process: carries its commands and their answers, as far as their cases let it. */
export class ProxiedConnection {
  private readonly pending = new Map<number, Pending>();
  private severed = false;

  constructor(
    private readonly client: Socket,
    private readonly database: Socket,
    private readonly ownerOf: Owner,
  ) {
    for (const socket of [client, database]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
    }
    client.on('close', () => database.destroy());
    database.on('close', () => {
      if (!this.severed) client.destroy();
    });
    inOrder(client, (frame) => this.forward(frame));
    inOrder(database, (frame) => this.answer(frame));
  }

  /** The database sees it break; the process is left without an answer. */
  sever(): void {
    this.severed = true;
    this.database.destroy();
  }

  private cut(): void {
    this.client.destroy();
    this.database.destroy();
  }

  private async forward(frame: Buffer): Promise<void> {
    const command = commandOf(frame);
    const point = command && this.ownerOf(command, frame);
    if (!command || !point) {
      this.database.write(frame);
      return;
    }
    if (point.dead) return;
    const step = point.next(command.name, command.target);
    await point.watching.arriving?.(step);
    const fault = point.watching.faults?.get(step.index);
    if (fault === 'dies-before' || fault === 'cut-before') {
      point.strike(step, fault);
      if (fault === 'cut-before') this.cut();
      return;
    }
    this.pending.set(command.requestId, { point, step, fault });
    this.database.write(frame);
  }

  private async answer(frame: Buffer): Promise<void> {
    const asked = this.pending.get(answeredRequest(frame));
    this.pending.delete(answeredRequest(frame));
    if (asked) {
      const { point, step, fault } = asked;
      await point.watching.answering?.(step);
      if (fault) point.strike(step, fault);
      if (fault === 'cut-after') this.cut();
      if (point.dead || fault) return;
    }
    this.client.write(frame);
  }
}

/** Handles a socket's messages one after another. */
function inOrder(socket: Socket, handle: (frame: Buffer) => Promise<void>): void {
  const reader = new FrameReader();
  let last = Promise.resolve();
  socket.on('data', (bytes: Buffer) => {
    for (const frame of reader.push(bytes))
      last = last
        .then(() => handle(frame))
        .catch((error: unknown) => {
          socket.destroy(error instanceof Error ? error : undefined);
        });
  });
}
