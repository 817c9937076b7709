import type { EmbeddedMongo } from '../../libs/embedded-mongo/src';

/** What the setup of a test run leaves for its teardown: both run in one process, in separate module registries. */
export interface TestRun {
  /** Undefined when the run uses the server of MONGODB_URI. */
  server: EmbeddedMongo | undefined;
}

const KEY = Symbol.for('nest-offline-sync.test-run');

export function keepTestRun(run: TestRun): void {
  (globalThis as Record<symbol, unknown>)[KEY] = run;
}

export function keptTestRun(): TestRun | undefined {
  return (globalThis as Record<symbol, unknown>)[KEY] as TestRun | undefined;
}
