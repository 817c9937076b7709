export default {
  build: {
    outDir: 'out',
    rollupOptions: { input: 'page.js', output: { entryFileNames: 'page.js', format: 'es' } },
  },
};
