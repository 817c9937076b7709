import type { History } from './history';
import { judge } from './oracle/judge';
import { ScopeCare } from './scope-care';
import type { Verdict } from './verdict';
import type { WorkloadOptions } from './workload/options';
import { runWorkload } from './workload/run';

export interface CheckOptions extends WorkloadOptions {
  /** Write into a scope that also contains other data. Default false. */
  readonly force?: boolean;
  /** Leave the documents there. Default false: they are deleted, and their tombstones stay. */
  readonly keep?: boolean;
}

export interface Check {
  readonly history: History;
  readonly verdict: Verdict;
  /** Documents of the run that could not be deleted afterwards. */
  readonly left: number;
}

/**
 * Runs the workload against a deployment and judges what it saw.
 *
 * @throws WorkloadError when it could not run; the message says what to do
 */
export async function checkDeployment({ force, keep, ...options }: CheckOptions): Promise<Check> {
  const care = new ScopeCare(options);
  if (force !== true) await care.refuseOthersData();
  const history = await runWorkload(options);
  const verdict = judge(history);
  const left = keep === true ? 0 : await care.tidy(madeByTheApp(history));
  return { history, verdict, left };
}

/** Documents with a marker of the run that only the app can have named. */
function madeByTheApp(history: History): Map<string, Set<string>> {
  const asked = new Set(
    history.events.flatMap((event) => (event.kind === 'app-write' ? [event.marker] : [])),
  );
  const made = new Map<string, Set<string>>();
  for (const event of history.events) {
    if (event.kind !== 'full' || !event.reader.startsWith('final')) continue;
    for (const { collection, docId, marker } of event.rows ?? []) {
      if (marker === null || !asked.has(marker)) continue;
      const ids = made.get(collection) ?? new Set();
      made.set(collection, ids.add(docId));
    }
  }
  return made;
}
