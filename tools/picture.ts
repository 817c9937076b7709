/** `npm run picture`: makes the picture that the README begins with, from the demo's own page. */
import { join } from 'node:path';
import { withDemo } from './demo-browser';

const FILE = join(__dirname, '../docs/demo.png');
const SIZE = { width: 1180, height: 850 };

void withDemo(async ({ url, browser }) => {
  const page = await browser.newPage({ viewport: SIZE, colorScheme: 'light' });
  await page.goto(url);
  const press = (name: string): Promise<void> => page.getByRole('button', { name, exact: true }).click();
  const phone = (of: string) => page.getByRole('article', { name: `Phone of ${of}`, exact: true });
  for (const who of ['Alice', 'Bob']) await phone(who).getByText('all sent').waitFor();
  await press('Offline, and both edits stay');
  await press('Both go offline');
  await press('Both edit the same task');
  for (const who of ['Alice', 'Bob']) await phone(who).getByText('1 waiting').waitFor();
  await phone('Alice').getByRole('switch').click();
  await phone('Alice').getByText('all sent').waitFor();
  await page.screenshot({ path: FILE });
  console.log(`${FILE} is new.`);
});
