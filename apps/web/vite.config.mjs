import { join } from 'node:path';
import { defineConfig } from 'vite';

const page = (path) => join(import.meta.dirname, path);

/** Built to dist/web, which the demo serves. Nothing is loaded from elsewhere: the page works in a closed network. */
export default defineConfig({
  root: import.meta.dirname,
  // The client from its sources: no other build has to come first.
  resolve: { tsconfigPaths: true },
  build: {
    outDir: '../../dist/web',
    emptyOutDir: true,
    target: 'es2022',
    rolldownOptions: { input: [page('index.html'), page('admin/index.html')] },
  },
});
