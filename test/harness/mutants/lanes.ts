import { startEmbeddedMongo, type EmbeddedMongo } from '../../../libs/embedded-mongo/src';

export interface Lanes<T> {
  /** One a task, in their order. */
  readonly results: readonly Promise<T>[];
  /** When all tasks have ended, with any result, and the mongods are gone. */
  readonly over: Promise<void>;
}

/**
 * Runs the tasks on a few mongods, one task per mongod at a time: a mongod's fail point is for one
 * deployment.
 */
export function inLanes<T>(
  count: number,
  tasks: readonly ((mongod: EmbeddedMongo) => Promise<T>)[],
): Lanes<T> {
  const given = tasks.map((task) => {
    let settle: (result: Promise<T>) => void = () => undefined;
    const result = new Promise<T>((resolve) => (settle = resolve));
    // Awaited later: the rejection must not count as unhandled until then.
    result.catch(() => undefined);
    return { task, result, settle };
  });
  const waiting = [...given];
  const lane = async (): Promise<void> => {
    const mongod = await startEmbeddedMongo({ args: ['--setParameter', 'enableTestCommands=1'] });
    try {
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        next.settle(next.task(mongod));
        await next.result.catch(() => undefined);
      }
    } finally {
      await mongod.stop();
    }
  };
  const lanes = Array.from({ length: Math.min(count, tasks.length) }, lane);
  const over = Promise.all(lanes).then(
    () => undefined,
    (error: unknown) => {
      const failure = new Error('A lane of the broken builds ended early.', { cause: error });
      for (const { settle } of waiting.splice(0)) settle(Promise.reject(failure));
      throw failure;
    },
  );
  return { results: given.map(({ result }) => result), over };
}
