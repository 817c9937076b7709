import { Logger } from '@nestjs/common';
import type { PushMessage } from 'nest-offline-sync-protocol';
import { resolveSettings } from '../options/settings';
import { SocketPushes } from './socket-pushes';

const message = (id: number): PushMessage => ({ type: 'push', id, body: { n: id } });

describe('the pushes of a socket', () => {
  it('are not begun while its answers are not read, one at a time neither', async () => {
    const begun: unknown[] = [];
    const answers: string[] = [];
    const reading = { isPaused: false };
    const outbound = { isFull: true, answer: (text: string) => void answers.push(text) };
    const pushes = new SocketPushes({
      socket: { pause: () => (reading.isPaused = true), resume: () => (reading.isPaused = false) },
      outbound,
      limits: resolveSettings({}).limits,
      pushes: {
        push: async (_identity, body) => {
          begun.push(body);
          return Promise.resolve({ results: [] });
        },
      },
      logger: new Logger(),
      identify: () => Promise.resolve({ scopeId: 's', actorId: 'a' }),
    });
    pushes.take(message(1), 10);
    expect([begun, reading.isPaused]).toEqual([[], true]);
    outbound.isFull = false;
    pushes.goOn();
    expect(reading.isPaused).toBe(false);
    await pushes.leave();
    expect(begun).toEqual([{ n: 1 }]);
    expect(answers).toHaveLength(1);
  });
});
