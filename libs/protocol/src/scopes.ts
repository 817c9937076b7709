import { SyncError } from './errors.ts';
import { isObject } from './json.ts';
import { isShortText } from './text.ts';

/**
 * GET scopes: the scopes that the identity may use at this moment, its own one first. Pull and full take one of them as
 * the parameter `scope`, a push and a subscription as the field `scope`.
 */
export interface ScopesAnswer {
  readonly scopes: readonly ScopeEntry[];
}

export interface ScopeEntry {
  readonly scope: string;
  readonly access: 'read' | 'write';
  /** True for the scope that counts where none is named. */
  readonly own: boolean;
  /** What the app calls scopes like this one, where it says so. */
  readonly kind?: string;
}

/** Longest id of a scope or an actor, in UTF-8 bytes. */
export const MAX_IDENTITY_BYTES = 256;

/**
 * Whether a text can be the id of a scope or an actor: not blank, and what the database stores is exactly this text
 * (two lone surrogates would become the same stored text, and two tenants one).
 */
export function isScopeId(text: string): boolean {
  return text.trim() !== '' && isShortText(text, MAX_IDENTITY_BYTES);
}

/**
 * The scope that a query, a push or a message names; undefined for the identity's own.
 *
 * An empty text is no missing one: a client whose variable was never set must not write into the wrong scope.
 *
 * @throws SyncError `malformed_request` for anything but the id of a scope, given once
 */
export function scopeParameter(request: Readonly<Record<string, unknown>>): string | undefined {
  const value = request['scope'];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string' && isScopeId(value)) return value;
  throw new SyncError(
    'malformed_request',
    `scope must be given once, as the id of a scope: text of 1 to ${MAX_IDENTITY_BYTES} bytes without NUL. Leave it out for your own scope.`,
    { path: 'scope' },
  );
}

/** The scope that a request names, when nothing is checked yet. */
export function namedScope(request: unknown): string | undefined {
  const value = isObject(request) ? request['scope'] : undefined;
  return typeof value === 'string' ? value : undefined;
}
