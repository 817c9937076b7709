import cluster from 'node:cluster';
import { readEnvironment } from './config/environment';
import { loadEnvFile } from './config/env-file';
import { helpText } from './config/help';
import { explainFailure } from './start/failure';
import { runPrimary } from './start/primary';
import { runWorker } from './start/worker';

/**
 * Starts the demo. One process does it all, unless WORKERS asks for more: then this file runs again in each worker,
 * and the first process keeps the database and looks after them.
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
