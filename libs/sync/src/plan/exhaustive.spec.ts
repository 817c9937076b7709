import { readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import * as ts from 'typescript';

const SOURCES = resolve(__dirname, '..');
const LIBS = resolve(SOURCES, '../..');
const PROTOCOL = join(LIBS, 'protocol/src');
const JUDGE = join(SOURCES, 'plan/judge.ts');
const CHANGE = '../../protocol/src/change.ts';
/** With the protocol, what the types of `judge` are made of. All other imports are left out: they count as `any`. */
const FILES = ['plan/judge.ts', 'plan/conflict.ts'];
const OPTIONS: ts.CompilerOptions = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  target: ts.ScriptTarget.ES2022,
  types: [],
  allowImportingTsExtensions: true,
  paths: { 'nest-offline-sync-protocol': [join(PROTOCOL, 'index.ts')] },
};
/** Cannot find module: the price of leaving files out. */
const NO_MODULE = 2307;

const parsed = new Map<string, ts.SourceFile | undefined>();

/** What the compiler says of judge.ts when the text of one file is another. */
function complaints(changed: { file: string; from: string; to: string } | undefined): string[] {
  const plain = ts.createCompilerHost(OPTIONS);
  const isLeftOut = (path: string): boolean =>
    path.startsWith(LIBS)
      ? !path.startsWith(PROTOCOL) && !FILES.includes(relative(SOURCES, path))
      : !path.includes('/node_modules/typescript/');
  const host: ts.CompilerHost = {
    ...plain,
    fileExists: (path) => !isLeftOut(path) && plain.fileExists(path),
    getSourceFile: (path, language) => {
      if (changed && path === join(SOURCES, changed.file)) {
        const text = readFileSync(path, 'utf8');
        if (!text.includes(changed.from)) throw new Error(`${changed.file} has no ${changed.from}`);
        return ts.createSourceFile(path, text.replace(changed.from, changed.to), language);
      }
      if (!parsed.has(path)) parsed.set(path, plain.getSourceFile(path, language));
      return parsed.get(path);
    },
  };
  const program = ts.createProgram([JUDGE], OPTIONS, host);
  return program
    .getSemanticDiagnostics(program.getSourceFile(JUDGE))
    .filter(({ code }) => code !== NO_MODULE)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' ').slice(0, 60));
}

describe('the table of judge', () => {
  it('compiles as it is', () => {
    expect(complaints(undefined)).toEqual([]);
  });

  it.each([
    ['a strategy', 'plan/conflict.ts', `'client-wins', 'merge'`, `'client-wins', 'added', 'merge'`],
    ['a delete policy', 'plan/conflict.ts', `'reject_update',`, `'reject_update', 'added',`],
    [
      'an operation',
      CHANGE,
      `export type Operation = 'upsert' |`,
      `export type Operation = 'upsert' | 'added' |`,
    ],
  ])('does not compile with %s that is added by name only', (_, file, from, to) => {
    const said = complaints({ file, from, to });
    expect(said.length).toBeGreaterThan(0);
    for (const text of said) expect(text).toMatch(/^Property '?added'? is missing in type/);
  });
});
