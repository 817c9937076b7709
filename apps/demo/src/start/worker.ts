import type { Environment } from '../config/environment';
import { takePartInClusterMetrics } from '../site/cluster-metrics';
import { listen, portOf } from './single';

/** What a worker sends to the primary once it accepts requests. */
export interface ReadyMessage {
  readonly type: 'demo:ready';
  readonly port: number;
}

/** Set by the primary for the first worker. */
export const FIRST_WORKER = 'DEMO_FIRST_WORKER';

/** One of several server processes. It ends when the primary says so, or is gone. */
export async function runWorker(environment: Environment): Promise<void> {
  // Ctrl-C reaches every process of the terminal: the primary hears it too, and sends SIGTERM when it is time.
  process.on('SIGINT', () => undefined);
  takePartInClusterMetrics();
  const app = await listen(environment, process.env[FIRST_WORKER] === '1');
  app.enableShutdownHooks(['SIGTERM']);
  process.send?.({ type: 'demo:ready', port: portOf(app) } satisfies ReadyMessage);
}
