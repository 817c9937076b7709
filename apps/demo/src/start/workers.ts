import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { Logger } from '@nestjs/common';
import type { Environment } from '../config/environment';
import { answerMetricsQuestions } from '../site/cluster-metrics';
import { WorkerEndedError } from './failure';
import { restartDelay } from './restart-delay';
import type { Servers } from './servers';
import { FIRST_WORKER, type ReadyMessage } from './worker';

const STOP_LIMIT_MS = 15_000;

/** Serves by WORKERS processes. One that dies is replaced. */
export async function serveByWorkers(environment: Environment): Promise<Servers> {
  answerMetricsQuestions();
  const workers = new Workers(environment);
  try {
    const port = await workers.start(environment.WORKERS);
    return { port, pids: workers.pids(), stop: () => workers.stop() };
  } catch (error) {
    await workers.stop();
    throw error;
  }
}

class Workers {
  private readonly logger = new Logger('Workers');
  private readonly restarts = new Set<NodeJS.Timeout>();
  private stopping = false;
  private forks = 0;
  private quickDeaths = 0;

  /** What they are told to listen at, 0 for any, and where that was. */
  private asked: number;
  private port = 0;

  constructor(private readonly environment: Environment) {
    this.asked = environment.PORT;
  }

  /**
   * The first one alone: it puts the example data in, and what keeps it from starting is said once.
   *
   * @returns the port that all of them share
   */
  async start(count: number): Promise<number> {
    this.port = await this.ready(this.fork(true));
    await Promise.all(Array.from({ length: count - 1 }, () => this.ready(this.fork(false))));
    cluster.on('exit', (worker) => {
      this.replace(worker);
    });
    // One that was ready and has died before that.
    for (let missing = count - this.living().length; missing > 0; missing -= 1) this.fork(false);
    return this.port;
  }

  /** Each gets time to finish what it is at, and is killed after that. */
  async stop(): Promise<void> {
    this.stopping = true;
    for (const timer of this.restarts) clearTimeout(timer);
    const living = this.living();
    const killer = setTimeout(() => {
      for (const worker of living) worker.process.kill('SIGKILL');
    }, STOP_LIMIT_MS);
    await Promise.all(
      living.map(async (worker) => {
        const ended = once(worker, 'exit');
        worker.process.kill('SIGTERM');
        await ended;
      }),
    );
    clearTimeout(killer);
  }

  pids(): number[] {
    return this.living().flatMap(({ process: { pid } }) => pid ?? []);
  }

  private living(): Worker[] {
    return Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
  }

  private fork(first: boolean): Worker {
    this.forks += 1;
    const { MONGODB_URI, HLC_NODE_ID } = this.environment;
    const started = Date.now();
    const worker = cluster.fork({
      MONGODB_URI,
      PORT: String(this.asked),
      [FIRST_WORKER]: first ? '1' : '0',
      // Versions are unlike each other only if the node ids of all processes are.
      ...(HLC_NODE_ID === undefined ? {} : { HLC_NODE_ID: `${HLC_NODE_ID}-${String(this.forks)}` }),
    });
    worker.once('exit', () => {
      this.quickDeaths = Date.now() - started < 30_000 ? this.quickDeaths + 1 : 0;
    });
    return worker;
  }

  private async ready(worker: Worker): Promise<number> {
    return new Promise((resolve, reject) => {
      worker.on('message', (message: ReadyMessage) => {
        if (message.type === 'demo:ready') resolve(message.port);
      });
      worker.once('exit', () => {
        reject(new WorkerEndedError('A worker ended before it was ready. The lines above say why.'));
      });
    });
  }

  private replace({ process: { pid, exitCode, signalCode } }: Worker): void {
    if (this.stopping) return;
    const delayMs = restartDelay(this.quickDeaths);
    const how = signalCode ?? `code ${String(exitCode)}`;
    this.logger.warn(`Worker ${String(pid)} ended (${how}). Another one starts in ${String(delayMs)} ms.`);
    const timer = setTimeout(() => {
      this.restarts.delete(timer);
      // The last one has let go of a port that was free by chance: clients wait at that one.
      if (this.living().length === 0) this.asked = this.port;
      this.fork(false);
    }, delayMs);
    this.restarts.add(timer);
  }
}
