import type { PushResponse, PushResult } from 'nest-offline-sync-protocol';
import { textOf, type Exchange } from './connection';
import type { DevicePlan } from './push-plan';

export interface PushTally {
  /** Changes whose answer says so. */
  readonly accepted: number;
  /** Requests that were not answered with all their changes accepted. */
  readonly failures: number;
  /** Requests that were answered with 5xx, or not at all. */
  readonly errors: number;
}

/**
 * Reads what the devices were answered: every change accepted under its own id, versions rising from answer to answer
 * of a device and no two alike in a scope.
 *
 * @throws Error when an answer says what cannot be
 */
export function checkPushes(
  plans: readonly DevicePlan[],
  exchanges: readonly (readonly Exchange[])[],
): PushTally {
  let accepted = 0;
  let failures = 0;
  let errors = 0;
  const seen = new Map<string, Set<string>>();
  for (const [device, { scope, pushes }] of plans.entries()) {
    const versions = seen.get(scope) ?? new Set<string>();
    seen.set(scope, versions);
    let last = '';
    for (const [place, exchange] of (exchanges[device] ?? []).entries()) {
      const sent = pushes[place] ?? [];
      const results = resultsOf(exchange);
      const taken = results.filter(({ status }) => status === 'accepted');
      if (exchange.status === 0 || exchange.status >= 500) errors += 1;
      if (exchange.status !== 200 || taken.length !== sent.length) failures += 1;
      accepted += taken.length;
      for (const [index, { doc_id, status, new_version }] of results.entries()) {
        if (status !== 'accepted') continue;
        if (doc_id !== sent[index]?.doc_id) throw new Error(`An answer of ${scope} names another document`);
        if (new_version === null || new_version <= last || versions.has(new_version))
          throw new Error(`The versions of ${scope} do not rise: ${last} before ${String(new_version)}`);
        versions.add((last = new_version));
      }
    }
  }
  return { accepted, failures, errors };
}

function resultsOf(exchange: Exchange): readonly PushResult[] {
  if (exchange.status !== 200) return [];
  return (JSON.parse(textOf(exchange)) as PushResponse).results;
}
