import cluster from 'node:cluster';
import { AggregatorRegistry } from 'prom-client';

/**
 * A scraper that asks one of several workers wants the figures of all. Only the primary can ask each worker, so a
 * worker asks the primary.
 */
interface Question {
  readonly type: 'demo:metrics?';
  readonly id: number;
}
interface Answer {
  readonly type: 'demo:metrics';
  readonly id: number;
  /** Missing when a worker did not answer in time. */
  readonly text?: string;
}

const TIME_LIMIT_MS = 6_000;
let registry: AggregatorRegistry<'text/plain; version=0.0.4; charset=utf-8'> | undefined;
let questions = 0;

/** In each worker, before the first question. */
export function takePartInClusterMetrics(): void {
  registry ??= new AggregatorRegistry();
}

/** In the primary. */
export function answerMetricsQuestions(): void {
  const all = new AggregatorRegistry();
  cluster.on('message', (worker, message: Question) => {
    if (message.type !== 'demo:metrics?') return;
    const answer = (text?: string): void => {
      const reply: Answer = { type: 'demo:metrics', id: message.id, text };
      if (worker.isConnected()) worker.send(reply);
    };
    all.clusterMetrics().then(answer, () => {
      answer();
    });
  });
}

/** The joined metrics of all workers; undefined when this process is no worker, or the primary cannot say. */
export async function clusterMetrics(): Promise<string | undefined> {
  if (!cluster.isWorker || !registry) return undefined;
  const id = ++questions;
  return new Promise((resolve) => {
    const finish = (text?: string): void => {
      clearTimeout(timer);
      process.off('message', listen);
      resolve(text);
    };
    const listen = (message: Answer): void => {
      if (message.type === 'demo:metrics' && message.id === id) finish(message.text);
    };
    const timer = setTimeout(finish, TIME_LIMIT_MS);
    process.on('message', listen);
    process.send?.({ type: 'demo:metrics?', id } satisfies Question);
  });
}
