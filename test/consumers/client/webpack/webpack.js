import { resolve } from 'node:path';
import webpack from 'webpack';

webpack(
  {
    mode: 'production',
    entry: './page.js',
    output: { path: resolve('out'), filename: 'page.js' },
    performance: { hints: false },
  },
  (error, stats) => {
    if (error || stats.hasErrors() || stats.hasWarnings()) {
      console.error(error ?? stats.toString());
      process.exitCode = 1;
    }
  },
);
