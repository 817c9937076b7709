import { join, relative } from 'node:path';
import ts from 'typescript';

const ROOT = join(__dirname, '../..');
const SOURCES = join(ROOT, 'libs/sync/src');
/** Its types travel through nest-offline-sync: a host need not know the package. */
const PROTOCOL = join(ROOT, 'libs/protocol/src');
const DOORS = ['index', 'testing/index'].map((name) => join(SOURCES, name));

/**
 * A host whose own declarations mention a type that it cannot import fails with TS2883, TS2742 or TS4023. So whatever the
 * declaration of an exported thing mentions has to be exported too.
 */
describe('the types of the public API', () => {
  it('are all exported: none is mentioned that a host cannot name', () => {
    expect(mentionedOnly()).toEqual([]);
  }, 180_000);
});

function mentionedOnly(): string[] {
  const program = declarations();
  const checker = program.getTypeChecker();
  const resolved = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const exported = new Set(
    DOORS.flatMap((door) => {
      const source = program.getSourceFile(`${door}.d.ts`);
      const module = source && checker.getSymbolAtLocation(source);
      return module ? checker.getExportsOfModule(module).map(resolved) : [];
    }),
  );
  expect(exported.size).toBeGreaterThan(50);
  const missing = new Set<string>();
  for (const symbol of exported)
    for (const declaration of symbol.declarations ?? [])
      for (const mentioned of typesIn(declaration, checker).map(resolved))
        if (!exported.has(mentioned) && mentioned.declarations?.every(isOurs))
          missing.add(`${mentioned.name}, mentioned by ${symbol.name}`);
  return [...missing];
}

/** Declared at the top of a file of ours: type parameters and members are no names to import. */
function isOurs(declaration: ts.Declaration): boolean {
  const source = declaration.getSourceFile();
  const holder = ts.isVariableDeclaration(declaration)
    ? declaration.parent.parent.parent
    : declaration.parent;
  return holder === source && [SOURCES, PROTOCOL].some((folder) => isBelow(folder, source.fileName));
}

/** Symbols of the types that a declaration mentions. Private members have none in a declaration file. */
function typesIn(declaration: ts.Declaration, checker: ts.TypeChecker): ts.Symbol[] {
  const found: ts.Symbol[] = [];
  const visit = (node: ts.Node): void => {
    // Hosts inject these classes: nobody needs a name for what they are made of.
    if (
      ts.isConstructorDeclaration(node) ||
      (ts.isHeritageClause(node) && ts.isClassDeclaration(node.parent))
    )
      return;
    const name = ts.isTypeReferenceNode(node)
      ? node.typeName
      : ts.isImportTypeNode(node)
        ? node.qualifier
        : ts.isExpressionWithTypeArguments(node)
          ? node.expression
          : ts.isTypeQueryNode(node)
            ? node.exprName
            : undefined;
    const symbol = name && checker.getSymbolAtLocation(name);
    if (symbol) found.push(symbol);
    ts.forEachChild(node, visit);
  };
  visit(declaration);
  return found;
}

/** The library's declaration files as they are published, in memory. */
function declarations(): ts.Program {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, ROOT);
  const emitting = {
    ...options,
    noEmit: false,
    emitDeclarationOnly: true,
    sourceMap: false,
    outDir: undefined,
  };
  const files = new Map<string, string>();
  ts.createProgram(
    DOORS.map((door) => `${door}.ts`),
    emitting,
  ).emit(undefined, (path, text) => files.set(path, text), undefined, true);
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  // The declaration file takes the place of its source.
  host.fileExists = (path) => files.has(path) || (!isSource(path) && fileExists(path));
  host.readFile = (path) => files.get(path) ?? readFile(path);
  return ts.createProgram(
    DOORS.map((door) => `${door}.d.ts`),
    { ...options, noEmit: true },
    host,
  );
}

function isSource(path: string): boolean {
  return isBelow(SOURCES, path) && path.endsWith('.ts') && !path.endsWith('.d.ts');
}

function isBelow(folder: string, path: string): boolean {
  return !relative(folder, path).startsWith('..');
}
