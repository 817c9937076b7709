import type { ServerResponse } from 'node:http';
import type { AbstractHttpAdapter } from '@nestjs/core';

/** Node's own response inside the framework's: Express hands that one out itself, Fastify keeps it in `raw`. */
export function rawResponse(response: unknown): ServerResponse {
  return isWrapped(response) ? response.raw : (response as ServerResponse);
}

function isWrapped(response: unknown): response is { readonly raw: ServerResponse } {
  return (response as { readonly raw?: unknown }).raw !== undefined;
}

/** Cuts the connection, so that a body that failed half-way never looks finished. */
export function destroyResponse(response: unknown): void {
  rawResponse(response).destroy();
}

/**
 * Sends a whole JSON body. Express' own `send` would hash it for an ETag that nobody asks for (`no-store`), and turn it
 * into bytes once more; so here it goes to Node's response at once. Fastify is fast by itself and has hooks to run.
 */
export function sendJson(adapter: AbstractHttpAdapter, response: unknown, body: Buffer): void {
  const headers = {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': String(body.length),
    'Cache-Control': 'no-store',
  };
  if (isWrapped(response)) {
    for (const [name, value] of Object.entries(headers)) adapter.setHeader(response, name, value);
    adapter.reply(response, body, 200);
    return;
  }
  const raw = rawResponse(response);
  raw.statusCode = 200;
  for (const [name, value] of Object.entries(headers)) raw.setHeader(name, value);
  raw.end(body);
}
