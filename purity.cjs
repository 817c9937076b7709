/**
 * What is pure: no framework, no I/O, no clock, no chance, so that it can be tested by thousands of random cases in
 * milliseconds. All of libs/protocol, the rules of libs/client, and of libs/sync two folders as a whole and these files of the others. The linter
 * (eslint.purity.cjs) and the checker of the structure (.dependency-cruiser.cjs) both read it from here.
 */
const FOLDERS = ['plan', 'codec'];

/** By folder. */
const FILES = {
  admin: 'adoptable',
  capture: 'change-events',
  'app-writes': 'ordinary-call recorded-fields server-change target touched',
  clock: 'bounded-wall node-id',
  collections:
    'answers app-values cast-comparison collection-options collection document-rules dto-data patch-rules ports prepare validation-message',
  commit: 'foreseen refused-write unique-keys',
  database: 'collection-check errors indexes',
  full: 'lines page-token',
  health: 'health',
  failures: 'failure host-refusal',
  http: 'response',
  identity: 'bearer-token identity origins scopes',
  log: 'entry records selection',
  metrics: 'metrics',
  register: 'device-batch records refused-batch',
  operator: 'answers device-row page-query refused-row',
  options: 'admin-options clashes extras settings table tokens value',
  pull: 'cursor page',
  push: 'body-hash late-changes observed-bound scope-queue scope-queues',
  retention: 'trim-plan',
  stream: 'access-notice follower scope-right',
  upgrade: 'legacy-entry',
  verify: 'difference log-run',
  ws: 'outbound push-window token-bucket upgrades',
};

const SOURCES = 'libs/sync/src';
/** For devices too: also without anything that only Node or only browsers have. */
const PROTOCOL = 'libs/protocol/src';
/** For devices: what decides is pure, and all but the port to the platform is without anything of Node or of browsers. */
const CLIENT = 'libs/client/src';
const CLIENT_RULES = `${CLIENT}/rules`;

/** Globs. */
const PURE = [
  `${PROTOCOL}/**/*.ts`,
  `${CLIENT_RULES}/**/*.ts`,
  ...FOLDERS.map((folder) => `${SOURCES}/${folder}/**/*.ts`),
  ...Object.entries(FILES).flatMap(([folder, names]) =>
    names.split(' ').map((name) => `${SOURCES}/${folder}/${name}.ts`),
  ),
];

module.exports = { FOLDERS, FILES, PURE, SOURCES, PROTOCOL, CLIENT, CLIENT_RULES };
