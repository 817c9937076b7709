import { isNodeId, SyncError } from 'nest-offline-sync-protocol';

/** What a node id is made from. Empty strings count as missing. */
export interface NodeIdSources {
  /** The option `hlcNodeId`. */
  readonly option?: string;
  /** The variable `HLC_NODE_ID`. */
  readonly variable?: string;
  /** The variable `HOSTNAME`: containers have one each, the workers of one host share it. */
  readonly hostname?: string;
  /** Random hexadecimal digits, drawn once by this process. */
  readonly random: string;
}

/**
 * The node part of this process's stamps. A configured id is taken as it is: who sets it answers for its being
 * unlike any other's. A host name gets a random part, because several processes have the same one; without a host
 * name the random part stands alone, so that neither two processes of a host nor two containers with the same
 * hardware address share an id.
 *
 * @throws SyncError `configuration` for a configured id that cannot stand in a stamp
 */
export function chooseNodeId({ option, variable, hostname, random }: NodeIdSources): string {
  if (option) return checked(option, 'the option hlcNodeId');
  if (variable) return checked(variable, 'the variable HLC_NODE_ID');
  // Kept short: a stamp is repeated in each entry, document and answer.
  const host = (hostname ?? '').replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 32);
  return host === '' ? random : `${host}-${random.slice(0, 8)}`;
}

function checked(id: string, source: string): string {
  if (isNodeId(id)) return id;
  throw new SyncError(
    'configuration',
    `SyncModule: ${source} must be 1 to 64 letters, digits, dots, underscores or dashes.`,
    { path: 'hlcNodeId' },
  );
}
