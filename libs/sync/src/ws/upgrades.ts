import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
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

/** Takes one upgrade as Node hands it over. */
export type TakeUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

const NOT_FOUND = 'There is no WebSocket at this path.\n';
const REFUSAL = [
  'HTTP/1.1 404 Not Found',
  'Connection: close',
  'Content-Type: text/plain; charset=utf-8',
  `Content-Length: ${Buffer.byteLength(NOT_FOUND)}`,
  '',
  NOT_FOUND,
].join('\r\n');

/**
 * Gives the upgrades of one path to `take` alone. Every other listener would see them too, and may end the socket: the
 * `ws` package refuses a path that is not its own at once, socket.io after a second without an answer. So the event is
 * stopped before it reaches them. Upgrades of other paths pass untouched; only where nobody else listens are they
 * answered (404), because a socket without an answer would hang.
 */
export function takeUpgrades(server: Server, path: string, take: TakeUpgrade): void {
  const paths = servers.get(server) ?? stopUpgrades(server);
  servers.set(server, paths.set(path, take));
}

/** By path. Several instances of the module share one HTTP server. */
type Takers = Map<string, TakeUpgrade>;
const servers = new WeakMap<Server, Takers>();

function stopUpgrades(server: Server): Takers {
  const takers: Takers = new Map();
  const emit = server.emit.bind(server) as (event: string | symbol, ...values: unknown[]) => boolean;
  server.emit = (event: string | symbol, ...values: unknown[]): boolean => {
    if (event !== 'upgrade') return emit(event, ...values);
    const [request, socket, head] = values as Parameters<TakeUpgrade>;
    const take = takers.get(pathOf(request.url));
    if (!take) return emit(event, ...values);
    take(request, socket, head);
    return true;
  };
  // Without any listener Node takes an upgrade for an ordinary request.
  server.on('upgrade', (_request, socket) => {
    if (server.listenerCount('upgrade') > 1) return;
    socket.on('error', () => socket.destroy());
    socket.end(REFUSAL, () => socket.destroy());
  });
  return takers;
}

/** As the HTTP routes read it: without the query, decoded, with or without a slash at its end. */
function pathOf(url = ''): string {
  const path = url.split(/[?#]/, 1)[0] ?? '';
  try {
    return decodeURI(path).replace(/(?<=.)\/$/, '');
  } catch {
    return path;
  }
}
