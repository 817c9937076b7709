/** A fresh app outside the workspace that uses the packed package. Its files are in the folder of the same name. */
export interface Consumer {
  readonly name: string;
  readonly what: string;
  readonly manager: 'npm' | 'pnpm';
  /** Which blocks of the documentation it uses: code as is, and the command that installs the rest. */
  readonly docs?: {
    /** By the name in the comment of the first line: the name of the file. */
    readonly code: Readonly<Record<string, string>>;
    /** How the first line of the block begins; none: all packages are in package.json. */
    readonly install?: string;
  };
  /** Scripts of its package.json that test it, in addition to the type check and the start. */
  readonly scripts: readonly string[];
  /** The token; the default is a JWT. */
  readonly token?: string;
  /** What else is tried on the running app. */
  readonly also?: 'socket.io' | 'transactional';
}

const asTheyStand = (...names: string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, name]));
const MODULES = asTheyStand('app.module.ts', 'tasks.module.ts', 'orders.module.ts');
const ALL = { ...MODULES, ...asTheyStand('main.ts', 'notes.service.ts', 'with-a-guard.ts') };

export const CONSUMERS: readonly Consumer[] = [
  {
    name: 'nest11',
    what: 'Nest 11, Mongoose 8, CommonJS, Jest',
    manager: 'npm',
    docs: { code: ALL, install: '# Nest 11' },
    scripts: ['test:e2e'],
  },
  {
    name: 'nest12',
    what: 'Nest 12, Mongoose 9, ES modules, Vitest',
    manager: 'npm',
    docs: { code: ALL, install: '# Nest 12' },
    scripts: ['test:e2e'],
  },
  {
    name: 'fastify',
    what: 'Fastify',
    manager: 'npm',
    docs: { code: { ...MODULES, 'main.fastify.ts': 'main.ts' } },
    scripts: [],
  },
  { name: 'pnpm', what: 'pnpm, strict', manager: 'pnpm', scripts: [] },
  { name: 'socketio', what: 'socket.io next to the stream', manager: 'npm', scripts: [], also: 'socket.io' },
  {
    name: 'cls',
    what: 'nestjs-cls, @Transactional',
    manager: 'npm',
    scripts: [],
    also: 'transactional',
  },
  { name: 'guard', what: 'own guard, no passport', manager: 'npm', scripts: [], token: 'alice' },
];
