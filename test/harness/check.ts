/**
 * `npm run check`: what takes minutes or needs the registry, and so is not in `npm test`. Each step runs, whatever became
 * of those before it.
 */
import { spawnSync } from 'node:child_process';

const STEPS = {
  // How soon writes go on after a failure is a bound of the server, not of what runs beside it.
  'faults, alone': ['check:long', '--', 'harness/faults'],
  'other long tests': ['check:long', '--', '--testPathIgnorePatterns', 'harness/faults'],
  'packed package': ['check:package'],
  consumers: ['check:consumers', '--', '--only', 'nest11,nest12,node'],
};

const failed = Object.entries(STEPS).filter(([name, script]) => {
  process.stdout.write(`\n=== ${name}: npm run ${script.join(' ')}\n`);
  return spawnSync('npm', ['run', ...script], { stdio: 'inherit' }).status !== 0;
});
process.stdout.write(
  failed.length === 0
    ? '\nAll checks hold.\n'
    : `\nFailed checks: ${failed.map(([name]) => name).join(', ')}\n`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
