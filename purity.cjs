/**
 * What is pure in libs/sync: no framework, no I/O, no clock, no chance, so that it can be tested by thousands of random
 * cases in milliseconds. Three folders as a whole, and these files of the others. The linter (eslint.purity.cjs) and the
 * checker of the structure (.dependency-cruiser.cjs) both read it from here.
 */
const FOLDERS = ['plan', 'codec', 'protocol'];

/** By folder. */
const FILES = {
  'app-writes': 'recorded-fields server-change target',
  clock: 'bounded-wall hlc node-id',
  collections:
    'answers app-values cast-comparison collection-options collection document-rules dto-data ports prepare validation-message',
  commit: 'foreseen refused-write unique-keys',
  database: 'collection-check driver-advice errors index-check indexes turns',
  full: 'line-writer page-token started-lines',
  health: 'health',
  http: 'connection exposed-headers failure full-body',
  identity: 'bearer-token identity-fields identity origins request-identity token-failure verified-tokens',
  log: 'entry-bytes records',
  metrics: 'metrics',
  options: 'clashes extras settings tokens',
  pull: 'cursor',
  push: 'body-hash late-changes scope-queue scope-queues',
  retention: 'trim-memory trim-plan',
  stream: 'backoff follower inserted-bytes page-size selections stream-entry',
  ws: 'beats server-socket shared-frames stream-path text-frames token-bucket',
};

const SOURCES = 'libs/sync/src';

/** Globs. */
const PURE = [
  ...FOLDERS.map((folder) => `${SOURCES}/${folder}/**/*.ts`),
  ...Object.entries(FILES).flatMap(([folder, names]) =>
    names.split(' ').map((name) => `${SOURCES}/${folder}/${name}.ts`),
  ),
];

module.exports = { FOLDERS, FILES, PURE, SOURCES };
