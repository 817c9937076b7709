import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { program } from '../processes/folders';
import type { Bench } from '../rows/bench';
import type { Pacing, WriterRun, Written } from './foreign-writer';

/** A {@link ForeignWriter} in a process of its own. It ends with the benchmark: the channel is gone then. */
export class WriterProcess {
  private constructor(
    private readonly child: ChildProcess,
    /** What it has written at first. */
    readonly begun: ReadonlyMap<string, number | null>,
  ) {}

  /** @param name of the turn */
  static async start({ mongoUri, seed }: Bench, database: string, name: string): Promise<WriterProcess> {
    const child = fork(program('apps/bench/src/load/writer-main.js'), [
      mongoUri,
      database,
      String(seed),
      name,
    ]);
    return new WriterProcess(child, new Map(await answer<readonly Written[]>(child)));
  }

  run(pacing: Pacing): Promise<WriterRun> {
    const run = answer<WriterRun>(this.child);
    this.child.send(pacing);
    return run;
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.disconnect();
    await ended;
  }
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const ended = new AbortController();
  const exit = (code: number | null): void => ended.abort(new Error(`The writer ended with ${String(code)}`));
  child.once('exit', exit);
  try {
    const [message] = (await once(child, 'message', { signal: ended.signal })) as [T];
    return message;
  } finally {
    child.off('exit', exit);
  }
}
