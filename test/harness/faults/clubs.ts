import type { Membership } from '../../../libs/conformance/src/workload';
import type { FaultCluster } from './cluster';

const ANSWER_LIMIT_MS = 10_000;

/** Scopes that the servers of the fault runs let identities into and put them out of. */
export function clubsOf(
  cluster: FaultCluster,
  actors: Readonly<Record<'main' | 'other', string>>,
): Membership {
  // Requests that come late are told by their number.
  let n = 0;
  let server = 0;
  return {
    scopes: ['club-1', 'club-2'],
    longestMs: 45_000,
    set: async (tenant, scope, level) => {
      n += 1;
      const url = cluster.urls[(server += 1) % cluster.urls.length] ?? '';
      try {
        const answer = await fetch(`${url}/club-members`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ actor: actors[tenant], scope, level, n }),
          signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
        });
        await answer.arrayBuffer();
        return { status: answer.status, code: null };
      } catch {
        return null;
      }
    },
  };
}
