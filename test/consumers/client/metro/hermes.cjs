/** Hermes' compiler takes the bundle: what it cannot parse is an error. */
const { execFileSync } = require('node:child_process');
const { dirname, join } = require('node:path');

const folder = dirname(require.resolve('hermes-compiler/package.json'));
const compiler = join(
  folder,
  'hermesc',
  process.platform === 'darwin' ? 'osx-bin' : 'linux64-bin',
  'hermesc',
);
execFileSync(compiler, ['-emit-binary', '-O', '-w', '-out', 'out/native.hbc', 'out/native.js'], {
  stdio: ['ignore', 'inherit', 'inherit'],
});
console.log('compiled');
