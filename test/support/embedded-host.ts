import { startEmbeddedMongo } from '../../libs/embedded-mongo/src';

/** A process that hosts an embedded server on the folder it is given, for tests that kill it. Prints one JSON line. */
async function main(): Promise<void> {
  const server = await startEmbeddedMongo({ dataDir: process.argv[2] });
  process.stdout.write(`${JSON.stringify({ uri: server.uri, mongodPid: server.pid })}\n`);
}

void main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
