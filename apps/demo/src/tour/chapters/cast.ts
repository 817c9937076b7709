import { randomBytes, randomUUID } from 'node:crypto';
import { Device } from '../device';
import type { Server } from '../server';
import type { Stage } from '../stage';

/** Who and what a run of the tour works with. Its business is a new one, so that it finds only what it made itself. */
export interface Cast {
  readonly server: Server;
  readonly stage: Stage;
  readonly alice: Device;
  readonly bob: Device;
  /** Of another business. */
  readonly mallory: Device;
  readonly business: string;
  readonly taskId: string;
  readonly itemId: string;
}

export async function makeCast(server: Server, stage: Stage): Promise<Cast> {
  const business = `tour-${randomBytes(3).toString('hex')}`;
  return {
    server,
    stage,
    business,
    alice: await Device.of(server, 'alice-phone', 'alice', business),
    bob: await Device.of(server, 'bob-tablet', 'bob', business),
    mallory: await Device.of(server, 'mallory-laptop', 'mallory', `${business}-rival`),
    taskId: `task-${randomUUID()}`,
    // 12 bytes: an ObjectId that the device makes itself, without asking anybody.
    itemId: randomBytes(12).toString('hex'),
  };
}
