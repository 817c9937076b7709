import type { NestExpressApplication } from '@nestjs/platform-express';
import { build } from 'esbuild';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { readEnvironment } from '../../../apps/demo/src/config/environment';
import { listen, portOf } from '../../../apps/demo/src/start/single';
import { Chromium } from '../../support/chromium';
import { testDatabase } from '../../support/database';
import { demoClient } from '../../support/demo-client';
import { MarkdownFile } from '../../support/markdown';

/** The first page of docs/client.md as it stands there, against the demo as it is. */

const ROOT = join(__dirname, '../../..');
const database = testDatabase(__filename);

let app: NestExpressApplication;
let url: string;
let folder: string;
let browser: Chromium;
let script: string;

beforeAll(async () => {
  app = await listen(readEnvironment({ MONGODB_URI: database.uri, PORT: '0', LOG_LEVEL: 'error' }), true);
  url = `http://127.0.0.1:${String(portOf(app))}`;
  folder = await mkdtemp(join(tmpdir(), 'client-docs-'));
  script = await bundled();
  browser = await Chromium.start(join(folder, 'profile'));
});
afterAll(async () => {
  await browser?.kill();
  await app?.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** The blocks of the page, by the name in their first line. */
async function bundled(): Promise<string> {
  for (const { text } of new MarkdownFile(join(ROOT, 'docs/client.md')).blocks) {
    const name = /^\/\/ (client\.ts|page\.tsx)\n/.exec(text)?.[1];
    if (name !== undefined) await writeFile(join(folder, name), text);
  }
  const { outputFiles } = await build({
    entryPoints: [join(folder, 'page.tsx')],
    bundle: true,
    write: false,
    format: 'iife',
    jsx: 'automatic',
    nodePaths: [join(ROOT, 'node_modules')],
    alias: {
      'nest-offline-sync-client': join(ROOT, 'libs/client/src/index.ts'),
      'nest-offline-sync-client/indexeddb': join(ROOT, 'libs/client/src/indexeddb/index.ts'),
      'nest-offline-sync-client/react': join(ROOT, 'libs/client/src/react/index.ts'),
      'nest-offline-sync-protocol': join(ROOT, 'libs/protocol/src/index.ts'),
    },
  });
  return outputFiles[0]?.text ?? '';
}

/** On the demo's own origin, as behind the proxy that the page tells to use: in the place of an answer that is no page. */
async function opened(hasServer: boolean): Promise<Page> {
  const page = await browser.context.newPage();
  await page.goto(`${url}/from-the-docs`);
  if (!hasServer) for (const path of PATHS) await page.route(path, (route) => route.abort());
  await page.addScriptTag({ content: script });
  return page;
}

/** Without these nothing is reached: the client asks them before it connects its socket. */
const PATHS = ['**/sync/**', '**/auth/**'];

describe('ten minutes with docs/client.md', () => {
  it('end with a list that follows others, is there without the server, and sends later', async () => {
    const first = await opened(true);
    await first.getByText('live, 0 to send').waitFor();
    const other = await demoClient(url, 'bob', 'corner-cafe');
    const data = { title: 'Bread', done: false };
    await other.push({ collection: 'tasks', operation: 'upsert', doc_id: 'of-another-device', data });
    await first.getByRole('button', { name: 'Bread', exact: true }).waitFor();
    await first.close();

    const page = await opened(false);
    await page.getByRole('button', { name: 'Bread', exact: true }).waitFor();
    await page.getByRole('textbox').fill('Milk');
    await page.getByRole('textbox').press('Enter');
    await page.getByRole('button', { name: 'Milk', exact: true }).click();
    await page.getByRole('button', { name: 'Milk', exact: true }).waitFor({ state: 'detached' });
    // One, or two if the first was frozen before the second was made.
    await page.getByText(/[12] to send/).waitFor();

    for (const path of PATHS) await page.unroute(path);
    // As browsers do when the network is back: what failed is tried again at once.
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await page.getByText('live, 0 to send').waitFor();
    const { changes } = await other.pull('collections=tasks&limit=1000');
    const milk = expect.objectContaining({ title: 'Milk', done: true }) as object;
    expect(changes.map((change) => change.data)).toContainEqual(milk);
  });
});
