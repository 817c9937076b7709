import { existsSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { projectRoot } from '../project-root';

/** Serves what apps/web was built to (`npm run build:web`): the page at `/`. Names of its assets change with what is in them. */
export function serveWebPage(app: NestExpressApplication): void {
  const folder = join(projectRoot(), 'dist/web');
  if (!existsSync(folder))
    new Logger('Demo').warn('The page is not built, so there is nothing at /: run npm run build:web.');
  app.useStaticAssets(folder, {
    setHeaders: (response: ServerResponse, path: string) => {
      const isAsset = path.startsWith(join(folder, 'assets'));
      response.setHeader('Cache-Control', isAsset ? 'public, max-age=31536000, immutable' : 'no-cache');
    },
  });
}
