import { noteChanges, NOTES, type NoteChange } from '../workload/notes';
import { seeded, seedFor } from '../workload/random';
import type { Prepared } from './connection';

/** How a row pushes. */
export interface PushShape {
  readonly clients: number;
  readonly batch: number;
  /** All devices in one scope, or each in its own. */
  readonly scopes: 'one' | 'own';
  readonly collection?: string;
}

/** What one device will send. */
export interface DevicePlan {
  readonly scope: string;
  readonly pushes: readonly (readonly NoteChange[])[];
}

/** The same devices and changes for every variant of a turn. */
export function devicePlans(
  seed: number,
  name: string,
  { clients, batch, scopes, collection = NOTES }: PushShape,
  requests: number,
): DevicePlan[] {
  return Array.from({ length: clients }, (_, device) => {
    const random = seeded(seedFor(seed, name, device));
    return {
      scope: scopes === 'one' ? name : `${name}-${String(device)}`,
      pushes: Array.from({ length: requests }, (_push, place) =>
        noteChanges(random, batch, place * batch, collection),
      ),
    };
  });
}

/** As HTTP requests. */
export function pushRequests(plans: readonly DevicePlan[], bearer: (scope: string) => string): Prepared[][] {
  return plans.map(({ scope, pushes }, device) => {
    const headers = { 'content-type': 'application/json', authorization: bearer(scope) };
    return pushes.map((changes) => ({
      method: 'POST',
      path: '/sync/push',
      headers,
      body: Buffer.from(JSON.stringify({ client_id: `device-${String(device)}`, changes })),
    }));
  });
}
