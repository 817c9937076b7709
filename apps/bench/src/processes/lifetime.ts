/**
 * Ends a server program on SIGTERM, and when the benchmark is gone: it holds the other end of stdin. `stop` runs once.
 * The process ends in an orderly way, so that a CPU profile is written.
 */
export function endWithBenchmark(stop: () => Promise<void>): void {
  let stopping = false;
  const end = (): void => {
    if (stopping) return;
    stopping = true;
    void stop().finally(() => process.exit(0));
  };
  process.on('SIGTERM', end);
  // Ctrl-C reaches every process of the terminal; the benchmark hears it and stops its servers.
  process.on('SIGINT', () => undefined);
  process.stdin.on('end', end).resume();
}
