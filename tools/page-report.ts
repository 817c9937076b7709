/**
 * `npm run report:pages`: what the demo's pages load of JavaScript, and how long it takes from the navigation until a task can be ticked off.
 * The budget is 1.5 s; no test asserts it, as machines differ.
 */
import type { BrowserContext } from 'playwright-core';
import { withDemo } from './demo-browser';

const RUNS = 5;

/** Milliseconds since the navigation when the first task is there. */
async function firstTask(context: BrowserContext, url: string, signsIn: boolean): Promise<number> {
  const page = await context.newPage();
  await page.goto(url);
  if (signsIn) {
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page
      .getByLabel(/^Done: /)
      .first()
      .waitFor();
    await page.evaluate('navigator.serviceWorker.ready.then(() => undefined)');
    await page.goto(url);
  }
  await page
    .getByLabel(/^Done: /)
    .first()
    .waitFor();
  const ms = await page.evaluate<number>('performance.now()');
  await page.close();
  return Math.round(ms);
}

void withDemo(async ({ url, pages, browser }) => {
  for (const page of ['index.html', 'app/index.html'])
    console.log(`${page}: ${String(await pages.scriptBytes(page))} bytes of JavaScript, packed by gzip`);
  for (const [name, path, signsIn] of [
    ['/, first visit', '/', false],
    ['/app, second visit', '/app/', true],
  ] as const) {
    const times: number[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      const context = await browser.newContext();
      times.push(await firstTask(context, url + path, signsIn));
      await context.close();
    }
    console.log(`${name}: ${times.join(', ')} ms until a task can be ticked off`);
  }
});
