import type { ServerResponse } from 'node:http';

/** Node's own response inside the framework's: Express hands that one out itself, Fastify keeps it in `raw`. */
export function rawResponse(response: unknown): ServerResponse {
  return ((response as { raw?: ServerResponse }).raw ?? response) as ServerResponse;
}

/** Cuts the connection, so that a body that failed half-way never looks finished. */
export function destroyResponse(response: unknown): void {
  rawResponse(response).destroy();
}
