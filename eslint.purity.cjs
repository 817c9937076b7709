const tseslint = require('typescript-eslint');

/**
 * Decisions live in pure files: no framework, no I/O, no clock, no chance. A file of libs/sync that may touch those says
 * so by its suffix, so that all the others can be tested by thousands of random cases in milliseconds.
 */
const SUFFIXES =
  'service,module,module-definition,controller,gateway,guard,filter,schema,repository,options,strategy,interceptor';

const PURE = ['libs/sync/src/**/*.ts'];
const NOT_PURE = [
  `libs/sync/src/**/*.{${SUFFIXES}}.ts`,
  'libs/sync/src/**/*.spec.ts',
  'libs/sync/src/**/index.ts',
  'libs/sync/src/testing/**',
  'libs/sync/src/cli/**',
];

const suffix = `give the file a Nest suffix (.${SUFFIXES.replaceAll(',', ', .')}) or take it as an argument.`;
const FRAMEWORKS =
  '@nestjs/.*|mongoose|mongodb|express|ws|rxjs|passport|passport-jwt|jwks-rsa|prom-client|commander|reflect-metadata';
/** Built-in modules that compute and do nothing else. */
const HARMLESS =
  'assert|assert/strict|buffer|crypto|events|querystring|stream|stream/promises|string_decoder|url|util|util/types|zlib';
const BUILTINS = require('node:module')
  .builtinModules.filter((name) => !new RegExp(`^(${HARMLESS})$`).test(name))
  .join('|');

const restrictedImports = {
  patterns: [
    {
      regex: `^(${FRAMEWORKS})(/.*)?$`,
      allowTypeImports: true,
      message: `A pure file imports no framework (import type is fine): ${suffix}`,
    },
    {
      regex: `^(node:(?!(${HARMLESS})$).*|${BUILTINS})$`,
      allowTypeImports: true,
      message: `A pure file does no I/O (import type is fine): ${suffix}`,
    },
    {
      regex: `^\\..*\\.(${SUFFIXES.replaceAll(',', '|')})(\\.ts|\\.js)?$`,
      allowTypeImports: true,
      message: 'A pure file imports only types from one that is not: move what it needs into a pure file.',
    },
    {
      regex: '^(node:)?crypto$',
      importNames: [
        'randomBytes',
        'randomUUID',
        'randomInt',
        'randomFillSync',
        'getRandomValues',
        'webcrypto',
      ],
      message: `A pure file draws no random values: ${suffix}`,
    },
  ],
};

const globals = [
  'process',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'performance',
  'crypto',
  'fetch',
  'console',
];

/** @type {import('eslint').Linter.Config} */
module.exports = {
  name: 'nest-offline-sync/purity',
  files: PURE,
  ignores: NOT_PURE,
  plugins: { '@typescript-eslint': tseslint.plugin },
  rules: {
    '@typescript-eslint/no-restricted-imports': ['error', restrictedImports],
    'no-restricted-globals': [
      'error',
      ...globals.map((name) => ({ name, message: `A pure file has no surroundings: ${suffix}` })),
    ],
    'no-restricted-properties': [
      'error',
      { object: 'Date', property: 'now', message: `A pure file reads no clock: ${suffix}` },
      { object: 'Math', property: 'random', message: `A pure file draws no random values: ${suffix}` },
      { object: 'globalThis', message: `A pure file has no surroundings: ${suffix}` },
    ],
    'no-restricted-syntax': [
      'error',
      {
        selector: "NewExpression[callee.name='Date'][arguments.length=0], CallExpression[callee.name='Date']",
        message: `A pure file reads no clock: ${suffix}`,
      },
      { selector: 'ImportExpression', message: `A pure file loads nothing at run time: ${suffix}` },
    ],
  },
};
