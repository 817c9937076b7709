import cluster from 'node:cluster';
import { readyLine } from '../processes/child';
import { endWithBenchmark } from '../processes/lifetime';
import { fromVariables } from './environment';
import { collectGarbageOnSignal } from './garbage';
import { portOf, serve } from './serve';
import { startWorkers } from './workers';

/** The server under test, as a user would run it: a built process, or several workers on one port. */
async function main(): Promise<void> {
  const environment = fromVariables(process.env);
  collectGarbageOnSignal();
  if (cluster.isPrimary && environment.workers > 1) {
    const workers = await startWorkers(environment.workers);
    endWithBenchmark(() => workers.stop());
    console.log(readyLine({ port: workers.port, pids: workers.pids }));
    return;
  }
  const app = await serve(environment);
  if (cluster.isWorker) {
    process.on('disconnect', () => process.exit(1));
    process.on('SIGINT', () => undefined);
    process.on('SIGTERM', () => void app.close().finally(() => process.exit(0)));
    process.send?.({ port: portOf(app) });
    return;
  }
  endWithBenchmark(() => app.close());
  console.log(readyLine({ port: portOf(app), pids: [process.pid] }));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
