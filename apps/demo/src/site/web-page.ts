import { existsSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join, relative, resolve, sep } from 'node:path';
import { Logger } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Environment } from '../config/environment';
import { projectRoot } from '../project-root';

/**
 * Serves the pages: that at `/`, and the installable app at `/app`. Names of their assets change with what is in them; everything else is
 * asked for again each time, the service worker too.
 */
export function serveWebPage(app: NestExpressApplication, { PAGES_DIR }: Environment): void {
  // Where `npm run build:web` puts what is in apps/web.
  const folder = resolve(projectRoot(), PAGES_DIR ?? 'dist/web');
  if (!existsSync(folder))
    new Logger('Demo').warn('The pages are not built, so there is nothing at /: run npm run build:web.');
  app.useStaticAssets(folder, {
    setHeaders: (response: ServerResponse, path: string) => {
      const isAsset = relative(folder, path).split(sep).includes('assets');
      response.setHeader('Cache-Control', isAsset ? 'public, max-age=31536000, immutable' : 'no-cache');
      // It answers for /app itself too, which is above its own folder.
      if (path === join(folder, 'app/service-worker.js'))
        response.setHeader('Service-Worker-Allowed', '/app');
    },
  });
}
