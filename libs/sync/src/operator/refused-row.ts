import type { RefusedRecord } from '../register/records';
import type { AdminRefused } from './answers';

/** The `client_id` of what an operator applies again: the device hears of it as of anybody's change. */
export const OPERATOR_CLIENT = 'operator';

export function refusedRow(record: RefusedRecord): AdminRefused {
  const { _id, at, scope, actor, client, clientSchema, again, body } = record;
  const { collection, doc: doc_id, operation, mutation: mutation_id, code, error } = record;
  return {
    id: _id.toHexString(),
    at: at.toISOString(),
    ...{ scope, actor, client, client_schema: clientSchema ?? null },
    ...{ collection, doc_id, operation, mutation_id, code, error },
    ...(body === undefined ? {} : { change: JSON.parse(body) as Readonly<Record<string, unknown>> }),
    applied: again ? { at: again.at.toISOString(), status: again.status, code: again.code } : null,
  };
}

/**
 * The push that applies a refused change again. It keeps what the device has said of the edit: its stamp, and the version that
 * it began from. It has a mutation id of its own, the same until it is refused, so that two calls apply it once; of its group
 * and of the device's earlier mutations nothing is left.
 *
 * @param body the change as it was sent, as JSON
 */
export function pushOf({ _id, scope, ownScope, clientSchema, tries }: RefusedRecord, body: string): object {
  const {
    group: _group,
    parent_mutation_id: _parent,
    ...change
  } = JSON.parse(body) as Record<string, unknown>;
  return {
    client_id: OPERATOR_CLIENT,
    atomic: 'mutation',
    ...(ownScope === undefined ? {} : { scope }),
    ...(clientSchema === undefined ? {} : { client_schema: clientSchema }),
    changes: [{ ...change, mutation_id: `again:${_id.toHexString()}:${tries}` }],
  };
}
