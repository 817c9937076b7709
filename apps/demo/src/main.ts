import cluster from 'node:cluster';
import { readEnvironment } from './config/environment';
import { loadEnvFile } from './config/env-file';
import { helpText } from './config/help';
import { explainFailure } from './start/failure';
import { runPrimary } from './start/primary';
import { runWorker } from './start/worker';

/**
 * Starts the demo. This file runs again in each worker, which serves; the first process keeps the database, and replaces a
 * worker that dies.
 */
async function main(): Promise<void> {
  if (process.argv.includes('--help')) return void process.stdout.write(helpText());
  loadEnvFile();
  const environment = readEnvironment(process.env);
  await (cluster.isWorker ? runWorker(environment) : runPrimary(environment));
}

main().catch((error: unknown) => {
  process.stderr.write(`${explainFailure(error)}\n`);
  process.exit(1);
});
