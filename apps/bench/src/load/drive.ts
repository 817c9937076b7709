import { Connection, type Exchange, type Prepared } from './connection';

/** What a closed loop of devices sent and got. */
export interface Drive {
  /** By device, in the order of sending. */
  readonly exchanges: readonly (readonly Exchange[])[];
  /** From the first request to the last answer. */
  readonly seconds: number;
}

/** Each device sends its requests one after another, until they or the time run out. */
export async function drive(
  url: string,
  plans: readonly (readonly Prepared[])[],
  seconds: number,
  limitMs?: number,
): Promise<Drive> {
  const connections = plans.map(() => new Connection(url, limitMs));
  collectGarbage();
  const started = performance.now();
  const until = started + seconds * 1000;
  try {
    const exchanges = await Promise.all(
      plans.map(async (plan, device) => {
        const connection = connections[device] as Connection;
        const done: Exchange[] = [];
        for (const request of plan) {
          if (performance.now() >= until) break;
          done.push(await connection.send(request));
        }
        return done;
      }),
    );
    return { exchanges, seconds: (performance.now() - started) / 1000 };
  } finally {
    await Promise.all(connections.map((connection) => connection.close()));
  }
}

/** Before a timed region, so that the garbage of its preparation is not collected in it. */
export function collectGarbage(): void {
  (globalThis as { gc?: () => void }).gc?.();
}
