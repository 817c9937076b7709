import { once } from 'node:events';
import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import type { AbstractHttpAdapter } from '@nestjs/core';

/** No page can have it: an answer for it is an answer for everybody. */
const ANYBODY = 'https://origin-of-anybody.invalid';

/** What an answer of the host says to a page of some origin. */
interface CorsAnswer {
  readonly origin: unknown;
  readonly credentials: unknown;
}

/**
 * Whether the CORS setting of the app lets a page of this origin work with the user's cookies: it allows credentials,
 * or names the origin. The setting cannot be read from the app, so the app is asked: on Express the `cors` layers of its
 * router (`enableCors`, `NestFactory.create(…, { cors })`, `app.use(cors())`), on Fastify by a preflight request that
 * never leaves the process. False where nothing is found.
 */
export async function corsAllows(
  adapter: AbstractHttpAdapter | undefined,
  upgrade: IncomingMessage,
  origin: string,
): Promise<boolean> {
  const app: unknown = adapter?.getInstance();
  const answer = await ask(app, upgrade, origin);
  if (answer?.origin !== origin) return false;
  return answer.credentials === 'true' || (await ask(app, upgrade, ANYBODY))?.origin !== ANYBODY;
}

async function ask(app: unknown, upgrade: IncomingMessage, origin: string): Promise<CorsAnswer | undefined> {
  if (!isApp(app)) return undefined;
  try {
    return 'routing' in app ? await askFastify(app, upgrade, origin) : await askExpress(app, upgrade, origin);
  } catch {
    // A setting of the app's own (a function) has thrown: it has not allowed anything.
    return undefined;
  }
}

interface FastifyApp {
  /** What Fastify's own HTTP server calls. */
  routing(request: IncomingMessage, response: ServerResponse): void;
}

async function askFastify(app: FastifyApp, upgrade: IncomingMessage, origin: string): Promise<CorsAnswer> {
  const request = Object.create(upgrade, {
    method: { value: 'OPTIONS' },
    headers: { value: { host: upgrade.headers.host, origin, 'access-control-request-method': 'GET' } },
  }) as IncomingMessage;
  const response = new ServerResponse(request);
  // With a header already set a response keeps those that come with its status, so that they can be read.
  response.setHeader('Connection', 'close');
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  response.assignSocket(nowhere as unknown as Socket);
  const answered = once(response, 'finish');
  app.routing(request, response);
  await answered;
  return answerIn(response);
}

interface ExpressApp {
  readonly router: { readonly stack: readonly ExpressLayer[] };
}
interface ExpressLayer {
  readonly name: string;
  readonly handle: (request: unknown, response: unknown, next: (error?: unknown) => void) => void;
  match(path: string): boolean;
}

async function askExpress(
  { router }: ExpressApp,
  upgrade: IncomingMessage,
  origin: string,
): Promise<CorsAnswer> {
  const request = Object.create(upgrade, {
    method: { value: 'GET' },
    headers: { value: { ...upgrade.headers, origin } },
  }) as IncomingMessage;
  const response = new ServerResponse(request);
  const path = (upgrade.url ?? '/').split('?', 1)[0] ?? '/';
  for (const layer of router.stack) {
    if (layer.name !== 'corsMiddleware' || !layer.match(path)) continue;
    await new Promise<void>((resolve, reject) => {
      layer.handle(request, response, (error) => {
        if (error === undefined || error === null) resolve();
        else reject(new Error('The CORS setting of the app failed.', { cause: error }));
      });
    });
  }
  return answerIn(response);
}

function answerIn(response: ServerResponse): CorsAnswer {
  return {
    origin: response.getHeader('access-control-allow-origin'),
    credentials: response.getHeader('access-control-allow-credentials'),
  };
}

function isApp(app: unknown): app is FastifyApp | ExpressApp {
  if (!hasMembers(app)) return false;
  if ('routing' in app) return typeof app.routing === 'function';
  return (
    'router' in app && hasMembers(app.router) && 'stack' in app.router && Array.isArray(app.router.stack)
  );
}

/** Express' app and its router are functions. */
function hasMembers(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
