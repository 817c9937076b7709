const tseslint = require('typescript-eslint');

const { CLIENT, PROTOCOL, PURE } = require('./purity.cjs');

const impure = 'take it as an argument, or take the file out of purity.cjs.';
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
      message: `A pure file imports no framework (import type is fine): ${impure}`,
    },
    {
      regex: `^(node:(?!(${HARMLESS})$).*|${BUILTINS})$`,
      allowTypeImports: true,
      message: `A pure file does no I/O (import type is fine): ${impure}`,
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
      message: `A pure file draws no random values: ${impure}`,
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

/** What only some of the places have that the protocol runs in. */
const PLACES =
  'Buffer global require module exports __dirname __filename TextEncoder TextDecoder URL URLSearchParams Blob File FormData ' +
  'Headers Request Response WebSocket EventTarget Event AbortController AbortSignal structuredClone queueMicrotask ' +
  'clearTimeout clearInterval atob btoa window self document navigator location localStorage sessionStorage indexedDB ' +
  'XMLHttpRequest alert';

/** @type {import('eslint').Linter.Config} */
const purity = {
  name: 'nest-offline-sync/purity',
  files: PURE,
  ignores: ['**/*.spec.ts'],
  plugins: { '@typescript-eslint': tseslint.plugin },
  rules: {
    '@typescript-eslint/no-restricted-imports': ['error', restrictedImports],
    'no-restricted-globals': [
      'error',
      ...globals.map((name) => ({ name, message: `A pure file has no surroundings: ${impure}` })),
    ],
    'no-restricted-properties': [
      'error',
      { object: 'Date', property: 'now', message: `A pure file reads no clock: ${impure}` },
      { object: 'Math', property: 'random', message: `A pure file draws no random values: ${impure}` },
      { object: 'globalThis', message: `A pure file has no surroundings: ${impure}` },
    ],
    'no-restricted-syntax': [
      'error',
      {
        selector: "NewExpression[callee.name='Date'][arguments.length=0], CallExpression[callee.name='Date']",
        message: `A pure file reads no clock: ${impure}`,
      },
      { selector: 'ImportExpression', message: `A pure file loads nothing at run time: ${impure}` },
    ],
  },
};

/** @type {import('eslint').Linter.Config} */
const protocol = {
  name: 'nest-offline-sync/protocol',
  files: [`${PROTOCOL}/**/*.ts`],
  ignores: ['**/*.spec.ts'],
  plugins: { '@typescript-eslint': tseslint.plugin },
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          { regex: '^[^.]', message: 'The protocol runs everywhere: it imports nothing but its own files.' },
        ],
      },
    ],
    'no-restricted-globals': [
      'error',
      ...[...globals, ...PLACES.split(' ')].map((name) => ({
        name,
        message:
          'The protocol runs everywhere: it has what the language has, and nothing of Node or of browsers.',
      })),
    ],
  },
};

/** The client's core, but for the one file through which the platform comes in, and the storages and tools beside it. */
const client = {
  name: 'nest-offline-sync/client',
  files: [`${CLIENT}/*.ts`, `${CLIENT}/rules/*.ts`],
  ignores: ['**/*.spec.ts', `${CLIENT}/environment.ts`],
  plugins: { '@typescript-eslint': tseslint.plugin },
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            regex: '^(?!\\.|nest-offline-sync-protocol$)',
            message: 'The core of the client imports its own files and the protocol.',
          },
        ],
      },
    ],
    'no-restricted-globals': [
      'error',
      ...[...globals, ...PLACES.split(' '), 'globalThis'].map((name) => ({
        name,
        message:
          'The core runs everywhere: take what the platform has from the environment that is injected.',
      })),
    ],
    'no-restricted-properties': [
      'error',
      { object: 'Date', property: 'now', message: 'Take the time from the environment that is injected.' },
      { object: 'Math', property: 'random', message: 'Take chance from the environment that is injected.' },
    ],
  },
};

module.exports = [purity, protocol, client];
