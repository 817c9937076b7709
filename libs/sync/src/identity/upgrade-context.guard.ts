import { ServerResponse, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import type { ExecutionContext } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';

/** Stands for the socket where a guard asks for the handler: no metadata of the app's is on it. */
class SyncSocket {
  readonly subscribe = (): void => undefined;
}

/**
 * An HTTP execution context for a socket: the request that opened it, as a guard of HTTP routes expects it, with
 * `token` as its bearer token. The original request is not changed, so a later token starts afresh.
 *
 * @param token undefined leaves the headers as they came (an Authorization header or a cookie of the upgrade)
 */
export function upgradeContext(upgrade: IncomingMessage, token: string | undefined): ExecutionContext {
  const headers: IncomingHttpHeaders = {
    ...upgrade.headers,
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const url = upgrade.url ?? '/';
  const [path = '/', search = ''] = url.split('?', 2);
  const header = (name: string): string | string[] | undefined => headers[name.toLowerCase()];
  const request = Object.create(upgrade, {
    ...Object.fromEntries(
      Object.entries({
        headers,
        method: 'GET',
        url,
        originalUrl: url,
        path,
        query: Object.fromEntries(new URLSearchParams(search)),
        params: {},
        ip: upgrade.socket.remoteAddress,
        raw: upgrade,
        user: undefined,
        get: header,
        header,
      }).map(([name, value]) => [name, { value, writable: true, enumerable: true, configurable: true }]),
    ),
  }) as IncomingMessage;
  const response = Object.assign(new ServerResponse(request), { locals: {} });
  const context = new ExecutionContextHost(
    [request, response, () => undefined],
    SyncSocket,
    new SyncSocket().subscribe,
  );
  context.setType('http');
  return context;
}
