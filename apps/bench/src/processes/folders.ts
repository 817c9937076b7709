import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of package.json, whether this is compiled or not. */
export function projectFolder(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}

/** What is not compiled: the peers, the baseline. */
export function benchFolder(): string {
  return join(projectFolder(), 'apps', 'bench');
}

/** A compiled program of the project. */
export function program(path: string): string {
  return join(projectFolder(), 'dist', path);
}
