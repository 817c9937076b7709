import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { benchFolder } from '../processes/folders';
import type { ReportRow } from './json';
import { plotSpecs, type PlotSpec } from './plot-specs';

/** What is used of Vega. */
interface Vega {
  readonly View: new (runtime: unknown, options: { renderer: 'none' }) => { toSVG(): Promise<string> };
  parse(spec: unknown): unknown;
}
interface VegaLite {
  compile(spec: PlotSpec): { readonly spec: unknown };
}

/**
 * Writes the plots as SVG, without a browser.
 *
 * @returns the names of the files
 */
export async function writePlots(rows: readonly ReportRow[], folder: string): Promise<string[]> {
  const [vega, vegaLite] = await loadVega();
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

/** ES modules only, and not needed by most runs: installed into a folder of their own when the first plot is drawn. */
async function loadVega(): Promise<[Vega, VegaLite]> {
  const home = join(benchFolder(), 'plots');
  if (!existsSync(join(home, 'node_modules')))
    execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: home, stdio: 'inherit' });
  const { resolve } = createRequire(join(home, 'package.json'));
  const load = (name: string): Promise<unknown> => import(pathToFileURL(resolve(name)).href);
  return (await Promise.all([load('vega'), load('vega-lite')])) as [Vega, VegaLite];
}
