import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import ts from 'typescript';
import packageJson from '../../../package.json';
import { ERROR_CODES, STREAM_CLOSE } from 'nest-offline-sync-protocol';
import { adminDocument } from '../../../libs/sync/src/http/admin-openapi';
import { adminPath, resolveAdminOptions } from '../../../libs/sync/src/options/admin-options';
import { EXTRA_DEFAULTS } from '../../../libs/sync/src/options/extras';
import { resolveSettings } from '../../../libs/sync/src/options/settings';
import type { OptionPath } from '../../../libs/sync/src/options/table';
import { OPTION_ROWS } from '../../../libs/sync/src/options/value';
import { codeOf, MarkdownFile, PAGES_WITH_CODE, tableRows } from '../../support/markdown';
import { withOptionTables } from './options-page';

const ROOT = join(__dirname, '../../..');
const PACKAGES = readdirSync(join(ROOT, 'libs')).map((name) => join('libs', name));
/** Pages that are read outside of the repository have absolute links into it. */
const REPOSITORY = packageJson.repository.url.replace(/^git\+|\.git$/g, '');
const page = (path: string): MarkdownFile => new MarkdownFile(join(ROOT, path));
const protocol = page('docs/protocol.md');
const options = page('docs/options.md');

describe('docs/protocol.md', () => {
  it('lists every error code with its status, and no other', () => {
    const listed = tableRows(protocol.section('Error codes')).map((cells) => [
      codeOf(cells[0]),
      Number(cells[1]),
    ]);
    expect(Object.fromEntries(listed)).toEqual(ERROR_CODES);
    expect(listed).toHaveLength(Object.keys(ERROR_CODES).length);
  });

  it('lists every close code of a socket with its name, and no other', () => {
    const listed = tableRows(protocol.section('Close codes')).map((cells) => [
      codeOf(cells[1]),
      Number(cells[0]),
    ]);
    expect(Object.fromEntries(listed)).toEqual(STREAM_CLOSE);
  });

  it('names for each of the eleven invariants the tests that guard it', () => {
    const items = protocol
      .section('Invariants')
      .split(/^\d+\. /m)
      .slice(1);
    expect(items).toHaveLength(11);
    for (const item of items) expect(item).toMatch(/\]\([^)]+\.(spec|e2e)\.ts\)/);
  });
});

describe('docs/client.md', () => {
  it('lists every code of an error of the client, and every option', () => {
    const errors = readFileSync(join(ROOT, 'libs/client/src/errors.ts'), 'utf8');
    const codes = [...errors.matchAll(/readonly code(?::| =)([^;,]+)[;,]/g)].flatMap(([, words = '']) =>
      [...words.matchAll(/'(\w+)'/g)].map(([, code]) => code),
    );
    const guide = page('docs/client.md');
    const listed = tableRows(guide.section('Errors')).flatMap(([cell = '']) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, code]) => code),
    );
    expect(listed.sort()).toEqual(codes.sort());
    const options = membersOf('libs/client/src/options.ts').get('SyncClientOptions');
    const named = tableRows(guide.section('Options')).map(([cell]) => codeOf(cell));
    expect(named.sort()).toEqual([...(options ?? [])].sort());
  });
});

describe('docs/options.md', () => {
  const ofModule = options.text.replace(options.section('Options of a collection'), '');
  const rows = new Map(tableRows(ofModule).map((cells) => [codeOf(cells[0]) ?? '', cells]));

  it('lists every option, and no other', () => {
    const members = membersOf('libs/sync/src/options/sync.options.ts');
    const named = (type: string, prefix = ''): string[] =>
      (members.get(type) ?? []).map((name) => prefix + name);
    const module = [
      ...named('SyncOptions'),
      ...named('SyncModuleExtras'),
      ...named('SyncJwtOptions', 'jwt.'),
      ...named('SyncLimits', 'limits.'),
    ];
    const inCollections = tableRows(options.section('Options of a collection')).map(([name]) => codeOf(name));
    expect(inCollections.sort()).toEqual(named('SyncCollectionOptions').sort());
    const listed = tableRows(ofModule.replace(options.section('Command line'), '')).map(([name]) =>
      codeOf(name),
    );
    expect(listed.sort()).toEqual(module.sort());
  });

  it('states the defaults of the code', () => {
    const stated = (name: string): string => (rows.get(name)?.[1] ?? '').replaceAll('`', '');
    const { limits, ...settings } = resolveSettings({});
    const plain = {
      ...settings,
      ...Object.fromEntries(Object.entries(limits).map(([k, v]) => [`limits.${k}`, v])),
    };
    for (const [name, value] of Object.entries({ ...EXTRA_DEFAULTS, ...plain }))
      if (value !== undefined) expect(`${name}: ${stated(name)}`).toBe(`${name}: ${String(value)}`);
  });

  it('has the tables that the code makes (npm run docs:options)', () => {
    expect(withOptionTables(options.text)).toBe(options.text);
    expect(rows.get('limits.maxDepth')).toEqual([
      '`limits.maxDepth`',
      '32',
      'nesting of one document, 1 to 90',
      '`SYNC_MAX_DEPTH`',
    ]);
  });

  it('and the comments of the types state the same defaults', () => {
    const stated = commentsOf('libs/sync/src/options/sync.options.ts').flatMap(([path, comment]) => {
      const [, given] = /\bDefault:? `?([\w./<>-]+(?: MiB)?)`?(?:[.;]|$)/m.exec(comment) ?? [];
      const { default: value } = OPTION_ROWS[path as OptionPath] ?? {};
      return given === undefined || value === undefined ? [] : [[path, String(value), given]];
    });
    expect(stated.length).toBeGreaterThan(25);
    for (const [path, value, given = ''] of stated) {
      const [, mib] = /^(\d+) MiB$/.exec(given) ?? [];
      expect(`${path}: ${mib === undefined ? given : Number(mib) << 20}`).toBe(`${path}: ${value}`);
    }
  });
});

describe('docs/admin.md', () => {
  const admin = page('docs/admin.md');
  const rows = new Map(tableRows(admin.section('Turn it on')).map(([name, value]) => [codeOf(name), value]));

  it('lists every option with its default', () => {
    const members = membersOf('libs/sync/src/options/admin-options.ts');
    const options = [...(members.get('SyncAdminOptions') ?? []), ...(members.get('SyncAdminExtras') ?? [])];
    expect([...rows.keys()].sort()).toEqual(options.sort());
    class Guard {
      canActivate(): boolean {
        return true;
      }
    }
    const { guards, ...defaults } = resolveAdminOptions({ guards: [Guard] });
    expect(guards).toEqual([Guard]);
    for (const [name, value] of Object.entries({ ...defaults, path: adminPath(undefined) }))
      expect(`${name}: ${rows.get(name)?.replaceAll('`', '')}`).toBe(`${name}: ${String(value)}`);
  });

  it('lists every route', () => {
    const listed = tableRows(admin.section('Routes')).map(([route]) => codeOf(route));
    const described = Object.entries(adminDocument('x', []).paths).map(
      ([path, operations]) =>
        `${Object.keys(operations).join().toUpperCase()} ${path.slice(3).replace(/\{(\w+)\}/g, ':$1')}`,
    );
    expect(listed.sort()).toEqual(described.sort());
  });
});

describe('links of the documentation', () => {
  const pages = [
    ...readdirSync(ROOT),
    ...['docs', ...PACKAGES].flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: folder === 'docs' }).map((name) =>
        join(folder, String(name)),
      ),
    ),
  ].filter((name) => name.endsWith('.md'));

  it('are checked on every page', () => {
    expect(pages).toEqual(
      expect.arrayContaining([
        'README.md',
        'CONTRIBUTING.md',
        join('libs', 'sync', 'CHANGELOG.md'),
        join('docs', 'architecture.md'),
      ]),
    );
  });

  it('lead to files and headings that exist', () => {
    const dead = pages.flatMap((path) =>
      page(path)
        .links.filter((link) =>
          link.startsWith(REPOSITORY) ? !leadsInto(link) : !/^https?:/.test(link) && !leads(path, link),
        )
        .map((link) => `${path}: ${link}`),
    );
    expect(dead).toEqual([]);
  });

  it('that a package takes along lead to its own files or are absolute', () => {
    const outside = PACKAGES.flatMap((folder) =>
      ['README.md', 'CHANGELOG.md']
        .map((name) => join(folder, name))
        .filter((path) => pages.includes(path))
        .flatMap((path) =>
          page(path)
            .links.filter((link) => !/^https?:/.test(link) && !['LICENSE', 'CHANGELOG.md'].includes(link))
            .map((link) => `${path}: ${link}`),
        ),
    );
    expect(outside).toEqual([]);
  });

  it('name only what the linked file contains', () => {
    const missing = pages.flatMap((path) =>
      [...page(path).text.matchAll(/\[`(\w+)`\]\(([^()\s#]+\.ts)\)/g)]
        .filter(([, name = '', file = '']) => {
          const target = resolve(ROOT, dirname(path), file);
          return !existsSync(target) || !new RegExp(`\\b${name}\\b`).test(readFileSync(target, 'utf8'));
        })
        .map(([link]) => `${path}: ${link}`),
    );
    expect(missing).toEqual([]);
  });
});

describe('the code of the documentation', () => {
  it('compiles', () => {
    const files = filesOf([...PAGES_WITH_CODE, 'libs/client/README.md'], ['ts']);
    expect(files.size).toBeGreaterThan(8);
    expect(compile(files)).toEqual([]);
  }, 60_000);

  it('of clients compiles, in browsers and on phones', () => {
    const files = filesOf(['docs/client.md'], ['ts', 'tsx']);
    expect(files.size).toBeGreaterThan(8);
    const others = OTHER_PACKAGES.map((name) => `declare module '${name}';`).join('\n');
    files.set(join(ROOT, 'test', 'readme', 'others.d.ts'), others);
    const lib = ['lib.es2024.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'];
    expect(compile(files, { lib, types: [], jsx: ts.JsxEmit.ReactJSX })).toEqual([]);
  }, 60_000);
});

/** What the pages show and this workspace does not have: of these anything goes. */
const OTHER_PACKAGES = ['@angular/core', '@angular/common', 'vue', 'expo-sqlite', 'expo-crypto'];

/** Blocks by the file that their first line names. */
function filesOf(paths: readonly string[], languages: readonly string[]): Map<string, string> {
  const blocks = paths
    .flatMap((path) => page(path).blocks)
    .filter(({ language }) => languages.includes(language));
  const files = new Map(
    blocks.map(({ text }) => [
      join(ROOT, 'test', 'readme', /^\/\/ (\S+)/.exec(text)?.[1] ?? 'unnamed.ts'),
      text,
    ]),
  );
  expect(files.size).toBe(blocks.length);
  return files;
}

/** Whether an absolute link into the repository leads to what there is in this tree. */
function leadsInto(link: string): boolean {
  const place = link.slice(REPOSITORY.length).replace(/^\/(blob|tree)\/main\//, '');
  if (place === '#readme') return true;
  if (place.endsWith('#readme')) return leads('README.md', place.replace('#readme', '/README.md'));
  return leads('README.md', place);
}

/** Whether a link leads to a file of the project, and to a heading in it. */
function leads(from: string, link: string): boolean {
  const [path = '', anchor] = link.split('#', 2);
  const target = path === '' ? join(ROOT, from) : resolve(ROOT, dirname(from), decodeURIComponent(path));
  if (!existsSync(target) || relative(ROOT, target).startsWith('..')) return false;
  return anchor === undefined || new MarkdownFile(target).anchors.includes(anchor);
}

const PREFIXES: Readonly<Record<string, string>> = { SyncJwtOptions: 'jwt.', SyncLimits: 'limits.' };

/** The options with the comments of their members, by dotted path. */
function commentsOf(path: string): [string, string][] {
  return interfacesOf(path)
    .filter(({ name }) => name.text !== 'SyncCollectionOptions')
    .flatMap(({ name, members }) =>
      members.flatMap((member): [string, string][] =>
        member.name && ts.isIdentifier(member.name)
          ? [[`${PREFIXES[name.text] ?? ''}${member.name.text}`, member.getFullText()]]
          : [],
      ),
    );
}

/** The members of a file's interfaces, by interface. */
function membersOf(path: string): Map<string, string[]> {
  return new Map(
    interfacesOf(path).map(({ name, members }) => [
      name.text,
      members.flatMap((member) => (member.name && ts.isIdentifier(member.name) ? [member.name.text] : [])),
    ]),
  );
}

function interfacesOf(path: string): ts.InterfaceDeclaration[] {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  return source.statements.filter((statement) => ts.isInterfaceDeclaration(statement));
}

/** What the compiler reports about files that exist only in memory. */
function compile(files: ReadonlyMap<string, string>, more: ts.CompilerOptions = {}): string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, ROOT);
  const host = ts.createCompilerHost({ ...options, ...more });
  const { fileExists, readFile, directoryExists } = host;
  const folders = new Set([...files.keys()].map((path) => dirname(path)));
  host.directoryExists = (path) => folders.has(path) || directoryExists?.(path) === true;
  host.fileExists = (path) => files.has(path) || fileExists(path);
  host.readFile = (path) => files.get(path) ?? readFile(path);
  const program = ts.createProgram([...files.keys()], { ...options, ...more, noEmit: true }, host);
  return [...files.keys()].flatMap((path) => {
    const source = program.getSourceFile(path);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText }) => `${relative(ROOT, path)}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
    );
  });
}
