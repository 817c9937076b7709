/**
 * `npm run bench:size`: what an app adds to its bundle by the client, minified and packed by gzip, and the same for its peers as far
 * as they are in the folder that `--peers` names (see peers/README.md).
 */
import { build } from 'esbuild';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { BUDGETS, PEERS } from './budget';

const ROOT = process.cwd();

/** Of the source, as it is now. */
const SOURCES: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ['nest-offline-sync-client', 'client/src/index.ts'],
    ['nest-offline-sync-client/indexeddb', 'client/src/indexeddb/index.ts'],
    ['nest-offline-sync-client/sqlite', 'client/src/sqlite/index.ts'],
    ['nest-offline-sync-client/sqlite/expo', 'client/src/sqlite/expo.ts'],
    ['nest-offline-sync-client/react', 'client/src/react/index.ts'],
    ['nest-offline-sync-client/rxjs', 'client/src/rxjs/index.ts'],
    ['nest-offline-sync-protocol', 'protocol/src/index.ts'],
  ].map(([name = '', path = '']) => [name, join(ROOT, 'libs', path)]),
);

export interface Size {
  /** After minifying. */
  readonly bytes: number;
  /** After gzip too. */
  readonly packed: number;
}

/**
 * @param imports what the app imports and uses; `react` and `rxjs` are there already
 * @param folder where its packages are installed; this workspace's source if there is none
 */
export async function sizeOf(imports: Readonly<Record<string, string>>, folder?: string): Promise<Size> {
  const lines = Object.entries(imports).map(([path, names]) => `import { ${names} } from '${path}';`);
  const { outputFiles } = await build({
    stdin: {
      contents: `${lines.join('\n')}\nconsole.log(${Object.values(imports).join(', ')});`,
      resolveDir: folder ?? ROOT,
      loader: 'js',
    },
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: 'es2022',
    external: ['react', 'react-dom', 'rxjs'],
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
    ...(folder === undefined ? { alias: SOURCES } : {}),
  });
  const contents = outputFiles[0]?.contents ?? new Uint8Array();
  return { bytes: contents.length, packed: gzipSync(contents, { level: 9 }).length };
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { peers: { type: 'string' } } });
  const print = (name: string, { bytes, packed }: Size): void =>
    console.log(`${name.padEnd(44)} ${kilo(packed).padStart(7)} kB gzip ${kilo(bytes).padStart(7)} kB`);
  for (const { name, imports } of BUDGETS) print(name, await sizeOf(imports));
  const folder = values.peers;
  for (const { name, imports } of folder !== undefined && existsSync(folder) ? PEERS : [])
    print(name, await sizeOf(imports, folder));
}

function kilo(bytes: number): string {
  return (bytes / 1000).toFixed(1);
}

if (require.main === module) void main();
