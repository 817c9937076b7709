import type { NestExpressApplication } from '@nestjs/platform-express';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { readEnvironment } from '../../../apps/demo/src/config/environment';
import { listen, portOf } from '../../../apps/demo/src/start/single';
import { testDatabase } from '../../support/database';
import { MarkdownFile, type CodeBlock } from '../../support/markdown';

const ROOT = join(__dirname, '../../..');
const PAGE = 'docs/api.md';
const { blocks } = new MarkdownFile(join(ROOT, PAGE));
const [setUp, ...commands] = blocks.filter(({ language }) => language === 'bash');
/** The answer that the page shows for a command. */
const answerTo = (command: CodeBlock): CodeBlock | undefined => blocks[blocks.indexOf(command) + 1];

/** Prints the status of each answer to stderr, which the commands of the page do not. */
const PRINT_STATUS = `curl() { command curl -w '%{stderr}%{http_code}\\n' "$@"; }`;

let app: NestExpressApplication;
let preamble: string;

beforeAll(async () => {
  const { uri } = testDatabase(__filename);
  app = await listen(readEnvironment({ MONGODB_URI: uri, PORT: '0', LOG_LEVEL: 'error' }), true);
  const given = setUp?.text.replace(/^URL=.*$/m, `URL=http://127.0.0.1:${String(portOf(app))}`);
  preamble = `set -e\n${given ?? ''}\n${PRINT_STATUS}\n`;
});
afterAll(() => app.close());

describe(`the commands of ${PAGE}, in order`, () => {
  it('start with an address and a token', async () => {
    expect(setUp?.text).toMatch(/^URL=http:\/\/localhost:3000$/m);
    const { stdout } = await bash(`${preamble}echo "$TOKEN"`);
    expect(stdout).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  });

  it('show the four calls, a route of the app and an error', () => {
    const all = commands.map((command) => command.text).join();
    for (const call of [
      '/sync/push',
      '/sync/pull?',
      '/sync/full?',
      '/sync/stream',
      '/orders',
      'since=nonsense',
    ])
      expect(all).toContain(call);
    expect(commands.length).toBeGreaterThanOrEqual(8);
  });

  it.each(commands.map((command) => [command.text.split('\n', 1)[0], command] as const))(
    '%s',
    async (_, command) => {
      const { stdout, stderr } = await bash(preamble + command.text);
      const shown = answerTo(command);
      if (shown?.language !== 'json') return expectHeadersAndLines(shown?.text ?? '', stdout);
      // The socket goes on and sends more than the page shows.
      const answer: unknown = JSON.parse(stdout.split('\n', 1)[0] ?? '');
      expect(unchanging(answer)).toEqual(unchanging(JSON.parse(shown.text)));
      if (!command.text.includes('curl')) return;
      const { statusCode } = answer as { statusCode?: number };
      expect(stderr.trim()).toBe(String(statusCode ?? (command.text.includes('/orders') ? 201 : 200)));
    },
  );
});

/** Status, headers and NDJSON, as `curl -D -` prints them. The page need not show all headers. */
function expectHeadersAndLines(shown: string, printed: string): void {
  const [shownHead = '', shownLines = ''] = shown.split('\n\n');
  const [head = '', lines = ''] = printed.replaceAll('\r', '').split('\n\n');
  const stable = (line: string): string => line.replace(/^(X-Sync-\w+): .+$/, '$1');
  for (const line of shownHead.split('\n')) expect(head.split('\n').map(stable)).toContain(stable(line));
  const parsed = (ndjson: string): unknown[] =>
    ndjson
      .trim()
      .split('\n')
      .map((line) => unchanging(JSON.parse(line)));
  expect(parsed(lines)).toEqual(parsed(shownLines));
}

/** The value without what differs in each run: versions and their hashes, times and generated ids. */
function unchanging(value: unknown): unknown {
  const json = JSON.stringify(value)
    .replace(/"\d{8}T\d{6}\.\d{3}Z-\d{4}-[\w.-]+"/g, '"version"')
    .replace(/"\d{4}-\d\d-\d\dT[\d:.]+Z"/g, '"time"')
    .replace(/"orderId":"[0-9a-f-]{36}"/g, '"orderId":"uuid"')
    .replace(/"hash":"[0-9a-f]{32}"/g, '"hash":"hash"')
    .replace(/"cursor":"[\w-]+…?"/g, '"cursor":"page"');
  return JSON.parse(json);
}

async function bash(script: string): Promise<{ stdout: string; stderr: string }> {
  // In the project's folder, where the page says to run them.
  const child = spawn('bash', ['-c', script], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (code !== 0) throw new Error(`bash ended with ${String(code)}: ${stderr}`);
  return { stdout, stderr };
}
