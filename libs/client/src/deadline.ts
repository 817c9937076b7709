import { Alarm } from './alarm.ts';
import type { Environment } from './environment.ts';
import type { Observable } from './observable.ts';

/** What work gives within so many milliseconds; false if it takes longer, or fails. */
export async function within(environment: Environment, ms: number, work: Promise<boolean>): Promise<boolean> {
  const alarm = new Alarm(environment);
  let isDone = false;
  void work
    .catch(() => false)
    .then((done) => {
      isDone = done;
      alarm.ring();
    });
  await alarm.sleep(environment.now() + ms);
  return isDone;
}

/** Whether something comes to hold within so many milliseconds; looked at with each change of a value.. */
export async function until<T>(
  environment: Environment,
  ms: number,
  value: Observable<T>,
  holds: () => boolean,
): Promise<boolean> {
  const alarm = new Alarm(environment);
  const leave = value.subscribe(() => alarm.ring());
  const deadline = environment.now() + ms;
  try {
    while (!holds()) {
      if (environment.now() >= deadline) return false;
      await alarm.sleep(deadline);
    }
    return true;
  } finally {
    leave();
  }
}
