import { rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Page } from 'playwright-core';
import { DESK, PHONE } from './accessibility';

const FOLDER = process.env.SCREENSHOTS ?? join(__dirname, '../../artefacts/screenshots');

/**
 * Keeps pictures of the pages of a test file, for people who look: in `artefacts/screenshots`, or where the variable SCREENSHOTS
 * says. One of each open page at the end of each test: when it has failed, that is what was on the page.
 *
 * @param file `__filename`: its name is the folder's
 * @param open the pages, at the end of a test
 * @returns keeps a page as it stands in the middle of a test, on a desk in the light and on a phone in the dark
 */
export function keepScreenshots(
  file: string,
  open: () => readonly Page[],
): (page: Page, name: string) => Promise<void> {
  const folder = join(FOLDER, basename(file, '.e2e.ts'));
  // Those of an earlier run would be taken for this one's.
  rmSync(folder, { recursive: true, force: true });
  let count = 0;
  const shoot = async (page: Page, name: string): Promise<void> => {
    count += 1;
    const words = name.replace(/[^\p{L}\p{N}]+/gu, '-').slice(0, 120);
    const path = join(folder, `${String(count).padStart(2, '0')}-${words}.png`);
    // A tab behind another one is not drawn.
    await page.bringToFront();
    await page.screenshot({ path, fullPage: true, animations: 'disabled', timeout: 10_000 });
  };

  afterEach(async () => {
    const { currentTestName = '' } = expect.getState();
    for (const page of open()) if (page.url().startsWith('http')) await shoot(page, currentTestName);
  });

  return async (page, name) => {
    await shoot(page, name);
    const size = page.viewportSize() ?? DESK;
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize(PHONE);
    await shoot(page, `${name}, on a phone, dark`);
    await page.emulateMedia({ colorScheme: null });
    await page.setViewportSize(size);
  };
}
