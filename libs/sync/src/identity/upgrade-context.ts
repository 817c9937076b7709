import { IncomingMessage, ServerResponse, type IncomingHttpHeaders } from 'node:http';
import type { ExecutionContext, Type } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { isObject } from 'nest-offline-sync-protocol';

export interface UpgradeContextOptions {
  /** Undefined leaves the headers as they came (an Authorization header or a cookie of the upgrade). */
  readonly token: string | undefined;
  /** Opened by a page that the app does not know: no header counts that could be a credential. */
  readonly stranger: boolean;
  /** Guards find its metadata, as on the HTTP routes. */
  readonly controller: Type;
  /** The app's Express or Fastify. */
  readonly app: unknown;
}

/** What describes a connection and its way here. A list of what may pass: proxies name users by headers of any name. */
const NO_CREDENTIAL =
  /^(host|connection|upgrade|origin|user-agent|accept|accept-encoding|accept-language|cache-control|pragma|via|forwarded|x-forwarded-(for|proto|host|port)|x-real-ip|x-request-id|traceparent|tracestate|sec-(websocket|fetch|ch)-.*)$/;

/**
 * An HTTP execution context for a socket: the request that opened it, as a guard of the sync routes expects it, with
 * the token as its bearer token. The original request is not changed, so a later token starts from it again.
 */
export function upgradeContext(
  upgrade: IncomingMessage,
  { token, stranger, controller, app }: UpgradeContextOptions,
): ExecutionContext {
  const headers: IncomingHttpHeaders = {
    ...(stranger
      ? Object.fromEntries(Object.entries(upgrade.headers).filter(([name]) => NO_CREDENTIAL.test(name)))
      : upgrade.headers),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  const request = requestOf(upgrade, headers, app);
  const response = responseTo(request, app);
  Object.assign(request, { res: response, raw: request });
  const { pull: handler } = controller.prototype as { pull: () => void };
  const context = new ExecutionContextHost([request, response, () => undefined], controller, handler);
  context.setType('http');
  return context;
}

function requestOf(upgrade: IncomingMessage, headers: IncomingHttpHeaders, app: unknown): IncomingMessage {
  const url = upgrade.url ?? '/';
  const [path = '/', search = ''] = url.split('?', 2);
  const header = (name: string): string | string[] | undefined => headers[name.toLowerCase()];
  const pairs = Object.entries(headers).map(([name, value]) => [name, [value ?? []].flat()] as const);
  const own = {
    headers,
    rawHeaders: pairs.flatMap(([name, values]) => values.flatMap((value) => [name, value])),
    headersDistinct: Object.fromEntries(pairs),
    method: 'GET',
    url,
    originalUrl: url,
    path,
    query: Object.fromEntries(new URLSearchParams(search)),
    params: {},
    user: undefined,
    get: header,
    header,
  };
  return Object.create(upgrade, {
    ip: plain(upgrade.socket.remoteAddress),
    // What Express adds to a request, `ip` by its trust in proxies among it.
    ...(isExpress(app) ? membersOf(app.request, IncomingMessage.prototype) : {}),
    ...Object.fromEntries(Object.entries(own).map(([name, value]) => [name, plain(value)])),
  }) as IncomingMessage;
}

/** Nobody gets it. Guards set headers on it (how many requests are left, for example), as they do on an answer. */
function responseTo(request: IncomingMessage, app: unknown): ServerResponse {
  const response = new ServerResponse(request);
  if (isExpress(app)) {
    Object.setPrototypeOf(response, app.response);
    return Object.assign(response, { locals: {} });
  }
  const header = (name: string, value: string): ServerResponse => response.setHeader(name, value);
  const status = (code: number): ServerResponse => Object.assign(response, { statusCode: code });
  const send = (): ServerResponse => response.end();
  return Object.assign(response, { locals: {}, raw: response, request, header, status, code: status, send });
}

function plain(value: unknown): PropertyDescriptor {
  return { value, writable: true, enumerable: true, configurable: true };
}

interface ExpressApp {
  readonly request: object;
  readonly response: object;
}

function isExpress(app: unknown): app is ExpressApp {
  return typeof app === 'function' && 'request' in app && isObject(app.request) && 'response' in app;
}

/** The members of an object and of what it inherits from, up to `base`. */
function membersOf(object: object, base: object): PropertyDescriptorMap {
  const parent: unknown = object === base ? null : Object.getPrototypeOf(object);
  if (!isObject(parent)) return {};
  return { ...membersOf(parent, base), ...Object.getOwnPropertyDescriptors(object) };
}
