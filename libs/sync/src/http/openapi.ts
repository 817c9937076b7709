import type { INestApplicationContext } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { httpDocument, HTTP_ROUTES } from 'nest-offline-sync-protocol';
import type { SyncExtras } from '../options/extras';
import { SYNC_EXTRAS } from '../options/tokens';

/** An OpenAPI document as @nestjs/swagger makes it, as far as this looks at it. */
export interface OpenApiDocument {
  paths: object;
  components?: { schemas?: object; securitySchemes?: object };
}

/**
 * Describes the sync routes of the app in its own OpenAPI document: operationIds, parameters, bodies and refusals, for
 * each SyncModule of the app. Needs no package: give it what `SwaggerModule.createDocument` returns.
 *
 * @param security of the sync routes, as OpenAPI has it. Default: the scheme `bearer` of the document, else its only one
 * @returns the same document
 */
export function describeSyncRoutes<D extends OpenApiDocument>(
  app: INestApplicationContext,
  document: D,
  security = schemesOf(document),
): D {
  const paths = document.paths as Record<string, object>;
  const schemas: Record<string, unknown> = { ...document.components?.schemas };
  for (const { prefix, http } of instancesOf(app)) {
    if (!http) continue;
    const described = httpDocument({ prefix, security });
    for (const route of HTTP_ROUTES) {
      const path = `/${prefix}/${route}`;
      // Swagger knows the routes already, and where they are with the app's global prefix; but nothing of what they take.
      const known = Object.keys(paths).find((one) => one === path || one.endsWith(path)) ?? path;
      paths[known] = described.paths[path] ?? {};
    }
    Object.assign(schemas, described.components.schemas);
  }
  document.components = { ...document.components, schemas };
  return document;
}

function instancesOf(app: INestApplicationContext): SyncExtras[] {
  return [...app.get(ModulesContainer).values()].flatMap(({ providers }) => {
    const found = providers.get(SYNC_EXTRAS)?.instance as SyncExtras | undefined;
    return found ? [found] : [];
  });
}

function schemesOf({ components }: OpenApiDocument): readonly Readonly<Record<string, unknown>>[] {
  const names = Object.keys(components?.securitySchemes ?? {});
  const name = names.includes('bearer') ? 'bearer' : names.length === 1 ? names[0] : undefined;
  return name === undefined ? [] : [{ [name]: [] }];
}
