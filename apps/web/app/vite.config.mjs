import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { defineConfig } from 'vite';

const BASE = '/app/';
const WORKER = 'service-worker.js';

/**
 * The installable app at `/app`: the page, and the service worker, which share the client's code. React's own renderer would be more than
 * half of it, so the app takes Preact in its place.
 */
export default defineConfig({
  root: import.meta.dirname,
  base: BASE,
  resolve: {
    tsconfigPaths: true,
    alias: [
      { find: /^react-dom\/client$/, replacement: 'preact/compat/client' },
      { find: /^react\/jsx-runtime$/, replacement: 'preact/jsx-runtime' },
      { find: /^react$/, replacement: 'preact/compat' },
    ],
  },
  plugins: [precacheList()],
  build: {
    outDir: '../../../dist/web/app',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: {
        index: join(import.meta.dirname, 'index.html'),
        worker: join(import.meta.dirname, '../src/app/service-worker.ts'),
      },
      output: {
        // Browsers ask for the worker by its name; everything else is named after what is in it.
        entryFileNames: ({ name }) => (name === 'worker' ? WORKER : 'assets/[name]-[hash].js'),
      },
    },
  },
});

/** Tells the service worker all files of the app, each with what changes when it does. */
function precacheList() {
  /** Of what was built. */
  let folder;
  return {
    name: 'precache-list',
    configResolved: ({ root, build }) => void (folder = resolve(root, build.outDir)),
    closeBundle() {
      const files = readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name !== WORKER)
        .map(({ parentPath, name }) => relative(folder, join(parentPath, name)));
      const list = files.map((file) => ({
        url: BASE + file,
        revision: file.startsWith('assets/') ? null : hashOf(join(folder, file)),
      }));
      const worker = join(folder, WORKER);
      const code = readFileSync(worker, 'utf8');
      if (!code.includes('self.__WB_MANIFEST'))
        throw new Error('The service worker has no place for its list of files.');
      writeFileSync(worker, code.replace('self.__WB_MANIFEST', JSON.stringify(list)));
    },
  };
}

function hashOf(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16);
}
