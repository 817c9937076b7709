import type { Party } from './party';

/** Numbers inside of document ids: whose they are. 0 to 255; each tenant has its half, even if both share the ids. */
export interface Owners {
  /** Of what all writers of a log write. */
  readonly sharedOwner: number;
  /** Of what all writers of a log only patch. */
  readonly hotOwner: number;
  /** Of the first writer; the next ones follow. */
  readonly own: number;
  /** Of what is there before the run. */
  readonly first: number;
}

export function ownersOf({ tenant, scope }: Party): Owners {
  const half = tenant === 'main' ? 0 : 128;
  // A scope that both tenants write to is one log.
  const log = scope === undefined ? half : 0;
  return { sharedOwner: log, hotOwner: log + 126, own: half + 1, first: log + 127 };
}
