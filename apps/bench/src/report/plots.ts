import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReportRow } from './json';
import { plotSpecs } from './plot-specs';

/**
 * Writes the plots as SVG, without a browser.
 *
 * @returns the names of the files
 */
export async function writePlots(rows: readonly ReportRow[], folder: string): Promise<string[]> {
  // ES modules only, and not needed by most runs.
  const [vega, vegaLite] = await Promise.all([import('vega'), import('vega-lite')]);
  mkdirSync(folder, { recursive: true });
  const files: string[] = [];
  for (const [name, spec] of Object.entries(plotSpecs(rows))) {
    const view = new vega.View(vega.parse(vegaLite.compile(spec).spec), { renderer: 'none' });
    const file = `${name}.svg`;
    writeFileSync(join(folder, file), `${await view.toSVG()}\n`);
    files.push(file);
  }
  return files;
}
