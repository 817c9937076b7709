import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of package.json, whatever folder the demo was started in and whether it is compiled or not. */
export function projectRoot(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json')) && folder !== dirname(folder)) folder = dirname(folder);
  return folder;
}
