import { Logger } from '@nestjs/common';
import type { Environment } from '../config/environment';
import { databaseName } from '../database/mongoose-options';
import { openDatabase, type Database } from '../database/open-database';
import { makeLogger } from '../logger';
import { announce } from './announcement';
import type { Servers } from './servers';
import { serveByWorkers } from './workers';

/** Database first, servers next, and at the end the other way round. */
export async function runPrimary(environment: Environment): Promise<void> {
  Logger.overrideLogger(makeLogger(environment));
  const database = await openDatabase(environment);
  const withDatabase: Environment = { ...environment, MONGODB_URI: database.uri };
  let servers: Servers | undefined;
  stopOnSignal(async () => {
    await servers?.stop();
    await database.stop();
  });
  try {
    servers = await serveByWorkers(withDatabase);
  } catch (error) {
    await database.stop();
    throw error;
  }
  await announce(withDatabase, servers, where(database, withDatabase));
}

function where(database: Database, environment: Environment): string {
  return `${databaseName(environment)} on ${database.where}`;
}

/** The first signal stops in order, a second one at once. */
function stopOnSignal(stop: () => Promise<void>): void {
  let stopping = false;
  const onSignal = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`The demo did not stop cleanly: ${String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}
