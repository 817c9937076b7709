import pc from 'picocolors';
import { makeCast } from './chapters/cast';
import { showConflicts } from './chapters/conflict';
import { showFullResync } from './chapters/full';
import { showLiveStream } from './chapters/live';
import { showPull } from './chapters/pull';
import { showPush } from './chapters/push';
import { TourError } from './check';
import { Server } from './server';
import { Stage } from './stage';

const PAUSE_MS = 350;

/** Walks through a running demo: `npm run demo:tour`, or `npm run demo:tour -- http://host:port`. */
async function main(): Promise<void> {
  const url =
    process.argv[2] ?? process.env['DEMO_URL'] ?? `http://localhost:${process.env['PORT'] ?? '3000'}`;
  const server = new Server(url.replace(/\/$/, ''));
  await server.assertRunning();
  const begin = performance.now();
  const cast = await makeCast(server, new Stage(process.stdout.isTTY ? PAUSE_MS : 0));
  process.stdout.write(`A tour of ${pc.cyan(server.url)}, in a new business: ${cast.business}\n`);
  for (const show of [showPush, showConflicts, showPull, showLiveStream, showFullResync]) await show(cast);
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  process.stdout.write(
    `\n${pc.green('Everything worked')}, in ${seconds} s. The API is at ${server.url}/docs.\n`,
  );
}

main().catch((error: unknown) => {
  const told =
    error instanceof TourError ? error.message : error instanceof Error ? error.stack : String(error);
  process.stderr.write(`\n${pc.red('✗')} ${told ?? 'unknown error'}\n`);
  process.exitCode = 1;
});
