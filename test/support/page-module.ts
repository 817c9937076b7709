import { createRequire } from 'node:module';
import { join } from 'node:path';
import ts from 'typescript';
import { MarkdownFile } from './markdown';

const ROOT = join(__dirname, '../..');

/**
 * What a block of code on a page exports, run as it stands there.
 *
 * @param page from the project's root
 * @param file the name in the block's first line
 */
export function moduleOn(page: string, file: string): unknown {
  const block = new MarkdownFile(join(ROOT, page)).blocks.find(({ text }) => text.startsWith(`// ${file}\n`));
  if (!block) throw new Error(`${page} has no ${file}`);
  const { outputText } = ts.transpileModule(block.text, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2023,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      esModuleInterop: true,
    },
  });
  const module = { exports: {} };
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the project's own page
  const run = new Function('require', 'module', 'exports', outputText) as (...given: unknown[]) => void;
  // Jest's own, which knows the workspace's packages.
  run(typeof require === 'undefined' ? createRequire(__filename) : require, module, module.exports);
  return module.exports;
}
