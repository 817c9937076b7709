import { readFileSync } from 'node:fs';

export interface CodeBlock {
  /** As after the three backticks: `bash`, `json`, `ts`, or nothing. */
  readonly language: string;
  readonly text: string;
}

/** Pages whose TypeScript is complete: each block compiles, and its first line names its file. */
export const PAGES_WITH_CODE = [
  'README.md',
  'docs/admin.md',
  'docs/migrating.md',
  'docs/own-writes.md',
  'docs/recipes.md',
  ...['sync', 'protocol', 'conformance', 'embedded-mongo'].map((name) => `libs/${name}/README.md`),
];

/** What the tests read of a Markdown file: enough for the project's own pages. */
export class MarkdownFile {
  readonly text: string;

  constructor(readonly path: string) {
    this.text = readFileSync(path, 'utf8');
  }

  /** Fenced code blocks, in order. */
  get blocks(): CodeBlock[] {
    return [...this.text.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({
      language,
      text,
    }));
  }

  /** Targets of links and pictures, as written. */
  get links(): string[] {
    return [...this.prose.matchAll(/\]\(([^()\s]+)\)/g)].map(([, target = '']) => target);
  }

  /** The anchors of the headings, as GitHub makes them. */
  get anchors(): string[] {
    return [...this.prose.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replace(/\s/g, '-'),
    );
  }

  /** The text under a heading, up to the next one of the same or a higher level. */
  section(title: string): string {
    const heading = new RegExp(`^(#+) ${title}$`, 'm').exec(this.prose);
    if (!heading) throw new Error(`${this.path} has no heading "${title}"`);
    const rest = this.prose.slice(heading.index + heading[0].length);
    const next = new RegExp(`^#{1,${String(heading[1]?.length)}} `, 'm').exec(rest);
    return next ? rest.slice(0, next.index) : rest;
  }

  private get prose(): string {
    return this.text.replace(/^```.*?^```$/gms, '');
  }
}

/** Rows of all tables in a text, cells without padding. Headings and rules are left out. */
export function tableRows(text: string): string[][] {
  const lines = text.split('\n');
  return lines
    .filter((line, index) => {
      const isRow = line.startsWith('|');
      const isRule = /^\|[\s:|-]+$/.test(line) && line.includes('-');
      const isHeading =
        /^\|[\s:|-]+$/.test(lines[index + 1] ?? '') && (lines[index + 1] ?? '').includes('---');
      return isRow && !isRule && !isHeading;
    })
    .map((line) =>
      line
        .replaceAll('\\|', '\u0000')
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('\u0000', '|')),
    );
}

/** `` `name` `` without its backticks; undefined for any other cell. */
export function codeOf(cell: string | undefined): string | undefined {
  return /^`([^`]+)`$/.exec(cell ?? '')?.[1];
}
