import type { IncomingMessage } from 'node:http';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost, type AbstractHttpAdapter } from '@nestjs/core';
import { SyncError, errorBody, isObject } from 'nest-offline-sync-protocol';
import type { SyncExtras } from '../options/extras';
import { SYNC_EXTRAS } from '../options/tokens';
import { exposeHeaders } from './response';

/**
 * Answers what the app's body parser refuses on the sync routes (a body over its limit, malformed JSON) in the shape of
 * every other error. Nest has no route yet when a body is parsed, so neither a filter nor a middleware of Nest sees it:
 * this stands in Express' own chain of error handlers, before Nest's, and in the route options of Fastify. Errors of
 * other routes, and other errors, go on to the app.
 */
@Injectable()
export class ParserErrors implements OnModuleInit {
  private readonly isOurs: (path: string) => boolean;

  constructor(
    private readonly host: HttpAdapterHost,
    @Inject(SYNC_EXTRAS) { prefix }: SyncExtras,
  ) {
    this.isOurs = underPrefix(prefix);
    // Routes are made before any onModuleInit.
    if (this.adapter?.getType() === 'fastify') this.watchRoutes(this.adapter.getInstance<FastifyLike>());
  }

  /** After the body parser, and before the handler that Nest adds last. */
  onModuleInit(): void {
    const { adapter } = this;
    if (adapter?.getType() !== 'express') return;
    adapter.getInstance<ExpressLike>().use((error, request, response, next) => {
      const refusal = this.isOurs(pathOf(request.url)) ? parserRefusal(error) : undefined;
      if (refusal) this.answer(response, refusal);
      else next(error);
    });
  }

  private watchRoutes(fastify: FastifyLike): void {
    fastify.addHook('onRoute', (route) => {
      if (!this.isOurs(route.url)) return;
      route.errorHandler ??= (error, request, reply) => {
        const limit = request.routeOptions?.bodyLimit;
        const refusal = parserRefusal(error, limit);
        // Fastify gives what is thrown here to the handler above: Nest's.
        if (!refusal) throw error;
        this.answer(reply, refusal);
      };
    });
  }

  private answer(response: unknown, refusal: SyncError): void {
    exposeHeaders(response);
    this.host.httpAdapter.setHeader(response, 'Cache-Control', 'no-store');
    this.host.httpAdapter.reply(response, errorBody(refusal), refusal.status);
  }

  /** An application context without a server has none. */
  private get adapter(): AbstractHttpAdapter | undefined {
    return this.host.httpAdapter as AbstractHttpAdapter | undefined;
  }
}

interface ExpressLike {
  use(
    handler: (
      error: unknown,
      request: IncomingMessage,
      response: unknown,
      next: (error: unknown) => void,
    ) => void,
  ): void;
}

interface FastifyLike {
  addHook(name: 'onRoute', hook: (route: FastifyRoute) => void): void;
}

interface FastifyRoute {
  readonly url: string;
  errorHandler?: (
    error: unknown,
    request: { readonly routeOptions?: { readonly bodyLimit?: number } },
    reply: unknown,
  ) => void;
}

/**
 * What a body parser refuses a request with, as the engine says it. Knows the errors of Express' body-parser and of
 * Fastify by their marks.
 *
 * @param limit the parser's limit in bytes, where the error does not say it
 * @returns undefined for every other error
 */
export function parserRefusal(error: unknown, limit?: number): SyncError | undefined {
  if (!(error instanceof Error) || !isObject(error)) return undefined;
  const status = error['statusCode'];
  if (typeof status !== 'number' || status < 400 || status > 499 || !isOfParser(error)) return undefined;
  const options = { status, cause: error };
  if (status === 413) {
    const bytes = typeof error['limit'] === 'number' ? error['limit'] : limit;
    const allowed = bytes === undefined ? 'the limit of the server' : `the limit of ${bytes} bytes`;
    return new SyncError(
      'payload_too_large',
      `The body is larger than ${allowed}; send its changes in several pushes. (On the server, the body parser's limit has to allow as much as limits.maxPushBytes.)`,
      { ...options, limit: bytes },
    );
  }
  return new SyncError(
    'malformed_request',
    status === 415
      ? 'The body must be JSON in UTF-8, with Content-Type: application/json, uncompressed or in an encoding that the server knows.'
      : 'The body could not be read as JSON.',
    options,
  );
}

/** `type` of body-parser, the code of a broken compression, codes of Fastify, and what its JSON parser throws. */
function isOfParser(error: Error & Record<string, unknown>): boolean {
  const { type, code } = error;
  if (typeof type === 'string') return /^(entity|encoding|charset|request|stream)\./.test(type);
  if (typeof code === 'string') return /^(FST_ERR_CTP_|Z_)/.test(code);
  return error instanceof SyntaxError;
}

/** Whether a path is that of a sync route, also behind a global prefix. */
function underPrefix(prefix: string): (path: string) => boolean {
  const end = new RegExp(`(?:^|/)${prefix.replaceAll('.', '\\.')}/[a-z]+/?$`, 'i');
  return (path) => end.test(path);
}

function pathOf(url = ''): string {
  return url.split('?', 1)[0] ?? '';
}
