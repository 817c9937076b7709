import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** Takes one upgrade as Node hands it over. */
export type TakeUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

const NOT_FOUND = 'There is no WebSocket at this path.\n';
const REFUSAL = [
  'HTTP/1.1 404 Not Found',
  'Connection: close',
  'Content-Type: text/plain; charset=utf-8',
  `Content-Length: ${String(Buffer.byteLength(NOT_FOUND))}`,
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
