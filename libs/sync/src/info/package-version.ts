import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Of the package that this file is part of; `unknown` in a bundle, which has no package.json next to it. */
export function packageVersion(): string {
  let folder = __dirname;
  for (let up = 0; up < 8; up += 1, folder = dirname(folder)) {
    try {
      const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        name?: unknown;
        version?: unknown;
      };
      if (name === 'nest-offline-sync' && typeof version === 'string') return version;
    } catch {
      // None in this folder.
    }
  }
  return 'unknown';
}
