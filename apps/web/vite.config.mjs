import { defineConfig } from 'vite';

/** Built to dist/web, which the demo serves. Nothing is loaded from elsewhere: the page works in a closed network. */
export default defineConfig({
  root: import.meta.dirname,
  build: { outDir: '../../dist/web', emptyOutDir: true, target: 'es2022', reportCompressedSize: true },
});
