import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';

const ROOT = join(__dirname, '../..');
const run = promisify(execFile);

/** The pages of apps/web, built as `npm run build:web` does it, into a folder of the test's own. */
export class BuiltPages {
  private constructor(readonly folder: string) {}

  static async build(): Promise<BuiltPages> {
    const folder = await mkdtemp(join(tmpdir(), 'sync-pages-'));
    const vite = join(ROOT, 'node_modules/vite/bin/vite.js');
    // Not as part of the test: NODE_ENV would be `test`, and React another one.
    const env = { ...process.env, NODE_ENV: 'production' };
    for (const [source, target] of [
      ['apps/web', folder],
      ['apps/web/app', join(folder, 'app')],
    ] as const)
      await run(process.execPath, [vite, 'build', source, '--outDir', target, '--logLevel', 'warn'], {
        cwd: ROOT,
        env,
      });
    return new BuiltPages(folder);
  }

  /** What a page loads of JavaScript, packed by gzip, bytes. @param page such as `index.html` */
  async scriptBytes(page: string): Promise<number> {
    const html = await readFile(join(this.folder, page), 'utf8');
    const paths = new Set([...html.matchAll(/(?:src|href)="(\/[^"]+\.js)"/g)].map(([, path = '']) => path));
    const sizes = [...paths].map(async (path) => gzipSync(await readFile(join(this.folder, path))).length);
    return (await Promise.all(sizes)).reduce((all, size) => all + size, 0);
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
