import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type { Ready } from '../processes/child';

/** Forks the workers, the first one alone because it makes collections and indexes. They share one port. */
export async function startWorkers(count: number): Promise<Ready & { stop(): Promise<void> }> {
  const workers: Worker[] = [];
  let port = 0;
  for (let forked = 0; forked < count; forked += 1) {
    const worker = cluster.fork();
    workers.push(worker);
    port = await ready(worker);
  }
  // Figures of a half-dead cluster would mean nothing.
  cluster.on('exit', () => {
    process.exit(1);
  });
  return {
    port,
    pids: workers.flatMap(({ process: { pid } }) => pid ?? []),
    stop: async () => {
      cluster.removeAllListeners('exit');
      await Promise.all(
        workers.map(async (worker) => {
          const ended = once(worker, 'exit');
          worker.process.kill('SIGTERM');
          await ended;
        }),
      );
    },
  };
}

async function ready(worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.once('message', ({ port }: Ready) => resolve(port));
    worker.once('exit', () => reject(new Error('A worker ended before it was ready')));
  });
}
