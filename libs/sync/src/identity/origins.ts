import { SyncError } from 'nest-offline-sync-protocol';
import type { OriginRule } from '../options/sync.options';

/** How browsers name the origin of a sandboxed frame or of a file: anybody can have it. */
const NOBODY = 'null';

/**
 * The option as a rule; undefined without the option.
 *
 * @throws SyncError `configuration` for anything that would match nothing, or more than it says
 */
export function originRule(allowed: unknown): OriginRule | undefined {
  if (allowed === undefined) return undefined;
  if (allowed === true) return () => true;
  if (typeof allowed === 'function') return allowed as OriginRule;
  if (!Array.isArray(allowed)) throw bad(`is ${typeof allowed === 'string' ? 'a text' : typeof allowed}`);
  const tests = allowed.map((entry: unknown) => {
    if (entry instanceof RegExp) return matching(entry);
    const origin = typeof entry === 'string' ? normalized(entry) : undefined;
    if (origin === undefined) throw bad(`has ${JSON.stringify(entry)} in its list`);
    return (text: string): boolean => normalized(text) === origin;
  });
  return (origin) => origin !== NOBODY && tests.some((test) => test(origin));
}

/**
 * Whether a page of `origin` came from the server that its socket asks, going by the `Host` that it was asked as. What a
 * proxy adds (`X-Forwarded-Host`) is not looked at: anybody may send it.
 *
 * @param secure whether this process itself ended the TLS. Without it a proxy may have, so that http and https pass
 */
export function isSameOrigin(origin: string, host: string | undefined, secure: boolean): boolean {
  const scheme = /^(https?):\/\//i.exec(origin)?.[1]?.toLowerCase();
  if (scheme === undefined || host === undefined || (secure && scheme === 'http')) return false;
  // With the page's scheme, because that says which port a Host without one means.
  const asked = normalized(`${scheme}://${host}`);
  return asked !== undefined && asked === normalized(origin);
}

/** Scheme, host and port as they are compared, or undefined for anything that is more or less than an origin. */
function normalized(text: string): string | undefined {
  const [, scheme = '', host = ''] = /^([a-z][a-z0-9+.-]*):\/\/([^/?#@\s\\]+)\/?$/i.exec(text) ?? [];
  const url = `${scheme}://${host}`.toLowerCase();
  if (host === '' || !URL.canParse(url)) return undefined;
  const { protocol, host: canonical } = new URL(url);
  return `${protocol}//${canonical}`;
}

/** Without the state that a `g` or a `y` keeps from one test to the next. */
function matching({ source, flags }: RegExp): (text: string) => boolean {
  const pattern = new RegExp(source, flags.replace(/[gy]/g, ''));
  return (text) => pattern.test(text);
}

function bad(what: string): SyncError {
  return new SyncError(
    'configuration',
    `SyncModule: option allowedOrigins ${what}. It must be true (any origin), a function, or a list of origins such as "https://shop.example" (scheme, host, port; no path) and regular expressions.`,
    { path: 'allowedOrigins' },
  );
}
