import { resolve } from 'node:path';
import { startEmbeddedMongo } from 'nest-offline-sync-embedded-mongo';
import type { Environment } from '../config/environment';
import { projectRoot } from '../project-root';

export interface Database {
  readonly uri: string;
  /** Where it is, for people; without a password. */
  readonly where: string;
  /** Stops the embedded server; any other server keeps running. */
  stop(): Promise<void>;
}

/**
 * MONGODB_URI, else a MongoDB of the demo's own that keeps its data in `.data`.
 *
 * @throws DataFolderInUseError when a demo runs already; MongodNotFoundError when there is no server program
 */
export async function openDatabase({ MONGODB_URI, DATA_DIR }: Environment): Promise<Database> {
  if (MONGODB_URI !== undefined)
    return { uri: MONGODB_URI, where: withoutPassword(MONGODB_URI), stop: () => Promise.resolve() };
  const server = await startEmbeddedMongo({ dataDir: resolve(projectRoot(), DATA_DIR ?? '.data') });
  return {
    uri: server.uri,
    where: `${server.uri}, embedded, data in ${server.dataDir}`,
    stop: () => server.stop(),
  };
}

function withoutPassword(uri: string): string {
  return uri.replace(/\/\/[^@/]*@/, '//***@');
}
