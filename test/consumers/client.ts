/** The client in the app of {@link file://./client/app.js}: bundled by what its users bundle with, and run. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Chromium } from '../support/chromium';
import { command, copyPackages } from './command';

export interface ClientConsumer {
  readonly name: string;
  readonly what: string;
  /** `page`: what it has built runs in Chromium. `start`: its script of that name says what has to be said. */
  readonly proof: 'page' | { readonly start: readonly string[] };
}

const TAKEN = '{"status":"accepted","title":"Milk"}';

export const CLIENT_CONSUMERS: readonly ClientConsumer[] = [
  { name: 'node', what: 'the client in Node, import and require', proof: { start: [TAKEN, TAKEN] } },
  { name: 'esbuild', what: 'the client by esbuild, in Chromium', proof: 'page' },
  { name: 'vite', what: 'the client by Vite, in Chromium', proof: 'page' },
  { name: 'webpack', what: 'the client by webpack, in Chromium', proof: 'page' },
  { name: 'metro', what: 'the client by Metro, for Hermes', proof: { start: ['compiled'] } },
];

const SOURCES = join(__dirname, 'client');

/** @param folder for the app */
export async function checkClient({ name, proof }: ClientConsumer, folder: string): Promise<void> {
  const app = join(folder, name);
  mkdirSync(app, { recursive: true });
  for (const from of [SOURCES, join(SOURCES, name)])
    cpSync(from, app, {
      recursive: true,
      filter: (path) => from !== SOURCES || /client$|\.[cm]?js$/.test(path),
    });
  copyPackages(app, ['nest-offline-sync-client', 'nest-offline-sync-protocol']);
  await command(app, 'npm install --prefer-offline');
  await command(app, 'npm run build');
  if (proof === 'page') return runInPage(readFileSync(join(app, 'out/page.js'), 'utf8'));
  const said = await command(app, 'npm run --silent start');
  const lines = said.split('\n').filter((line) => proof.start.includes(line));
  assert.deepEqual(lines, proof.start);
}

/** Creates a document, sees it live, and sees it again after a reload without network. */
async function runInPage(script: string): Promise<void> {
  const server = createServer(({ url }, response) => {
    if (url === '/page.js') response.setHeader('content-type', 'text/javascript').end(script);
    else
      response
        .setHeader('content-type', 'text/html')
        .end('<!doctype html><body><script type="module" src="/page.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const profile = mkdtempSync(join(tmpdir(), 'consumer-page-'));
  const browser = await Chromium.start(profile);
  try {
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
    const page = await browser.open(url);
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    await page.getByText('live, 0 pending').waitFor();
    await page.evaluate(() =>
      (globalThis as unknown as { app: { create(title: string): Promise<unknown> } }).app.create('Milk'),
    );
    await page.getByText('Milk, 1, shop').waitFor();
    await page.goto(`${url}?offline`);
    await page.getByText('Milk, 1, shop').waitFor();
    assert.deepEqual(faults, []);
  } finally {
    await browser.kill();
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
