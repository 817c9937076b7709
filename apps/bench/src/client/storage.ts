/**
 * `npm run bench:storage`: how long the client's storage takes in Chromium, and what the browser needs at least for the same
 * rows, all in one run. Milliseconds; of some runs in turn the best and the median, as other work on the machine only adds.
 */
import { build } from 'esbuild';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';

const ROOT = process.cwd();
const PAGE = join(ROOT, 'apps/bench/src/client/page/storage.ts');

const SCENARIOS: readonly (readonly [measure: string, count: number, runs: number, what: string])[] = [
  ['parse', 10_000, 7, 'parse 10,000 rows'],
  ['segments', 10_000, 7, 'parse, and put 200 rows a record'],
  ['storage', 10_000, 7, 'parse, and put into the storage'],
  ['records', 10_000, 3, 'parse, and put a row a record'],
  ['scan', 10_000, 7, 'scan 10,000 rows'],
  ['parse', 100_000, 3, 'parse 100,000 rows'],
  ['segments', 100_000, 3, 'parse, and put 200 rows a record'],
  ['storage', 100_000, 3, 'parse, and put into the storage'],
  ['scan', 100_000, 3, 'scan 100,000 rows'],
  ['changes', 5_000, 3, '5,000 spread changes in 10 transactions, on 20,000 rows'],
  ['singles', 1_000, 3, '1,000 edits, each a durable transaction'],
  ['together', 1_000, 5, '1,000 edits in one durable transaction'],
];

async function script(): Promise<Uint8Array> {
  const { outputFiles } = await build({ entryPoints: [PAGE], bundle: true, write: false, minify: true });
  return outputFiles[0]?.contents ?? new Uint8Array();
}

async function runsOf(page: Page, measure: string, count: number, runs: number): Promise<number[]> {
  const times: number[] = [];
  for (let run = 0; run < runs; run++)
    times.push(
      await page.evaluate(
        ([name, rows]) => {
          const { measures } = globalThis as unknown as {
            measures: Record<string, (count: number) => Promise<number>>;
          };
          return measures[name]?.(rows) ?? Promise.reject(new Error(`There is no ${name}.`));
        },
        [measure, count] as [string, number],
      ),
    );
  return times.sort((a, b) => a - b);
}

async function main(): Promise<void> {
  const contents = await script();
  const server = createServer(({ url }, response) => {
    if (url === '/script.js') response.setHeader('content-type', 'text/javascript').end(contents);
    else response.setHeader('content-type', 'text/html').end('<script src="/script.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    console.log(`Chromium ${browser.version()}; milliseconds: best, median`);
    for (const [measure, count, runs, what] of SCENARIOS) {
      const times = await runsOf(page, measure, count, runs);
      const [best = 0, median = 0] = [times[0], times[Math.floor(times.length / 2)]];
      console.log(`${what.padEnd(58)} ${best.toFixed(0).padStart(7)} ${median.toFixed(0).padStart(7)}`);
    }
  } finally {
    await browser.close();
    server.close();
  }
}

void main();
