import type { INestApplicationContext } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { httpDocument, HTTP_ROUTES } from 'nest-offline-sync-protocol';
import type { SyncExtras } from '../options/extras';
import { ADMIN_PATH, SYNC_EXTRAS } from '../options/tokens';
import { adminDocument } from './admin-openapi';

/** An OpenAPI document as @nestjs/swagger makes it, as far as this looks at it. */
export interface OpenApiDocument {
  paths: object;
  components?: { schemas?: object; securitySchemes?: object };
}

/**
 * Describes the sync routes of the app in its own OpenAPI document: operationIds, parameters, bodies and refusals, for
 * each SyncModule and SyncAdminModule of the app. Needs no package: give it what `SwaggerModule.createDocument` returns.
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
  for (const { prefix, http } of providedIn<SyncExtras>(app, SYNC_EXTRAS)) {
    if (!http) continue;
    const described = httpDocument({ prefix, security });
    for (const route of HTTP_ROUTES)
      describe(paths, `/${prefix}/${route}`, described.paths[`/${prefix}/${route}`]);
    Object.assign(schemas, described.components.schemas);
  }
  for (const path of providedIn<string>(app, ADMIN_PATH)) {
    const described = adminDocument(path, security);
    for (const [route, operations] of Object.entries(described.paths)) describe(paths, route, operations);
    Object.assign(schemas, described.schemas);
  }
  document.components = { ...document.components, schemas };
  return document;
}

/** Swagger knows the routes already, and where they are with the app's global prefix; but nothing of what they take. */
function describe(paths: Record<string, object>, path: string, operations: object = {}): void {
  // The shortest one: another route may end with the whole of this path.
  const [known = path] = Object.keys(paths)
    .filter((one) => one === path || one.endsWith(path))
    .sort((one, other) => one.length - other.length);
  paths[known] = operations;
}

/** What each module of the app that has a provider of this token gives there. */
function providedIn<T>(app: INestApplicationContext, token: symbol): T[] {
  return [...app.get(ModulesContainer).values()].flatMap(({ providers }) => {
    const found = providers.get(token)?.instance as T | undefined;
    return found === undefined ? [] : [found];
  });
}

function schemesOf({ components }: OpenApiDocument): readonly Readonly<Record<string, unknown>>[] {
  const names = Object.keys(components?.securitySchemes ?? {});
  const name = names.includes('bearer') ? 'bearer' : names.length === 1 ? names[0] : undefined;
  return name === undefined ? [] : [{ [name]: [] }];
}
