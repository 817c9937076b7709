import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { benchFolder } from '../processes/folders';

/** What is measured: the least that it takes, ours, and the peers. */
export type ClientVariant = 'limits' | 'ours' | 'rxdb' | 'tanstack';

/** Installs the peers outside of the workspace, once. @returns the folder that they are in */
export function installPeers(): string {
  const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'nest-offline-sync-peers');
  const manifest = join(benchFolder(), 'peers/client/package.json');
  mkdirSync(folder, { recursive: true });
  copyFileSync(manifest, join(folder, 'package.json'));
  // What is there already in these versions is left alone.
  execFileSync('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return folder;
}

/** Builds a page for each variant, minified as an app's, and an empty one. */
export async function buildPages(
  folder: string,
  variants: readonly ClientVariant[],
  peers: string | undefined,
): Promise<void> {
  writeFileSync(join(folder, 'blank.html'), '<title>blank</title>');
  for (const variant of variants) {
    const own = join(benchFolder(), 'src/client/page', `${variant}.ts`);
    await build({
      entryPoints: [existsSync(own) ? own : join(benchFolder(), 'peers/client', `${variant}.js`)],
      outfile: join(folder, `${variant}.js`),
      bundle: true,
      minify: true,
      format: 'iife',
      target: 'es2022',
      define: { 'process.env.NODE_ENV': '"production"' },
      nodePaths: peers === undefined ? [] : [join(peers, 'node_modules')],
      logLevel: 'error',
    });
    writeFileSync(
      join(folder, `${variant}.html`),
      `<title>${variant}</title><script src="${variant}.js"></script>`,
    );
  }
}
