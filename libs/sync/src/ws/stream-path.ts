import type { SyncExtras } from '../options/extras';

/** What the app has set with `setGlobalPrefix`. */
export interface GlobalPrefix {
  /** As it was given; empty without one. */
  readonly prefix: string;
  /** Whether the app leaves a path out of it. */
  readonly leavesOut: (path: string) => boolean;
}

/**
 * Where the socket is: next to the routes, behind the app's global prefix if they are. A `streamPath` that was given
 * stays as it is, and so does a path behind a prefix with parameters, which a socket cannot have.
 */
export function streamPathBehind(
  { streamPath, streamPathIsGiven }: Pick<SyncExtras, 'streamPath' | 'streamPathIsGiven'>,
  { prefix, leavesOut }: GlobalPrefix,
): string {
  const segments = prefix.split('/').filter((segment) => segment !== '');
  const isPlain = segments.every((segment) => /^[\w.~-]+$/.test(segment));
  if (streamPathIsGiven || !isPlain || segments.length === 0 || leavesOut(streamPath)) return streamPath;
  return `/${segments.join('/')}${streamPath}`;
}
