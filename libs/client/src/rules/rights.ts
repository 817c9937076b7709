import type { Failure } from './failure.ts';

/** A right that was taken away, and what went with it. */
export interface AccessLost {
  /** Undefined: the scope as a whole. */
  readonly collections?: readonly string[] | undefined;
  /** Edits that went into quarantine. */
  readonly quarantined: number;
}

/** What the server has denied, and since when: of the device's clock, milliseconds. Kept in the database. */
export interface Denials {
  readonly scope?: number | undefined;
  /** By name. */
  readonly collections: Readonly<Record<string, number>>;
}

export const NO_DENIALS: Denials = { collections: {} };

/** A right counts as lost when it is denied again so long after it was denied first: a deploy that was wrong for a moment takes nothing. */
export const CONFIRM_MS = 60_000;

/**
 * Whether a failure denies the scope. Only the server's own word does: not a 403 of a proxy, a token that is refused, or a server that
 * fails.
 */
export function deniesScope({ code }: Failure): boolean {
  return code === 'scope_forbidden';
}

/** Whether it denies one of the collections that were asked for, or the request as a whole. Which, GET info tells. */
export function deniesCollection({ code }: Failure): boolean {
  return code === 'forbidden';
}

/** After a denial. A clock that was set back begins again. */
export function denied(
  since: number | undefined,
  now: number,
): { readonly since: number; readonly isLost: boolean } {
  return since === undefined || since > now
    ? { since: now, isLost: false }
    : { since, isLost: now - since >= CONFIRM_MS };
}

/** After it was asked which collections are denied now. */
export function deniedCollections(
  before: Denials['collections'],
  names: readonly string[],
  now: number,
): { readonly denials: Denials['collections']; readonly lost: readonly string[] } {
  const all = names.map((name) => [name, denied(before[name], now)] as const);
  return {
    denials: Object.fromEntries(
      all.filter(([, { isLost }]) => !isLost).map(([name, { since }]) => [name, since]),
    ),
    lost: all.filter(([, { isLost }]) => isLost).map(([name]) => name),
  };
}

/** When to ask again, because something is denied and not certain; undefined: nothing is. */
export function confirmAt({ collections }: Denials): number | undefined {
  const since = Object.values(collections);
  return since.length === 0 ? undefined : Math.min(...since) + CONFIRM_MS;
}
