/**
 * The structure of the house, checked by `npm run lint`: no circles, and what each floor may stand on. Types count as
 * imports, unless a rule says otherwise. From the roof down:
 *
 *   doors       http  ws  cli  sync.module  sync-admin.module  index
 *   ways        push  app-writes  bypass  capture  admin  verify  upgrade | pull  full  stream  info | retention  health  operator
 *   commit
 *   ground      options  collections  identity  database  log  cluster  clock  metrics  failures  register
 *   pure        plan, codec
 *
 * and under all of them, for servers and devices, the package libs/protocol.
 */
const { CLIENT, CLIENT_RULES, FOLDERS, FILES, SOURCES } = require('./purity.cjs');

const room = (...names) => `^${SOURCES}/(${names.join('|')})/`;
const PURE = [
  room(...FOLDERS),
  ...Object.entries(FILES).map(
    ([folder, names]) => `^${SOURCES}/${folder}/(${names.split(' ').join('|')})\\.ts$`,
  ),
];

const DOORS = ['http', 'ws', 'cli', 'testing'];
const WRITES = ['push', 'app-writes', 'bypass', 'capture', 'admin', 'verify', 'upgrade'];
const READS = ['pull', 'full', 'stream', 'info'];
const WAYS = [...WRITES, ...READS, 'retention', 'health', 'operator'];
const GROUND = [
  'options',
  'collections',
  'identity',
  'database',
  'log',
  'cluster',
  'clock',
  'metrics',
  'failures',
  'register',
];

/** Knows all rooms, because it puts them together. */
const ASSEMBLY = `^${SOURCES}/(options/module-definition|sync(-admin)?\\.module|index)\\.ts$`;

const error = (name, comment, from, to) => ({ name, severity: 'error', comment, from, to });

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    error(
      'no-circles',
      'Move what both sides need (mostly a type) to where both can take it.',
      {},
      { circular: true },
    ),
    error('unresolvable', 'This import leads nowhere.', {}, { couldNotResolve: true }),
    error(
      'pure-on-pure',
      'A pure file imports only types from one that touches the world: see purity.cjs.',
      { path: PURE },
      { path: `^${SOURCES}/`, pathNot: PURE, dependencyTypesNot: ['type-only'] },
    ),
    error(
      'protocol-alone',
      'The protocol is shared with devices: it knows nothing of the server, of Node or of a browser.',
      { path: '^libs/protocol/' },
      { pathNot: '^libs/protocol/' },
    ),
    error(
      'client-core-alone',
      'The core of the client knows the protocol and itself: no storage but memory, nothing of Node or of a browser.',
      { path: `^${CLIENT}/([^/]+\\.ts$|rules/)` },
      { pathNot: [`^${CLIENT}/([^/]+\\.ts$|rules/)`, '^libs/protocol/'] },
    ),
    error(
      'client-rules-decide',
      'The rules of the client decide by values: they stand on the protocol, on each other and on types.',
      { path: `^${CLIENT_RULES}/` },
      { path: `^${CLIENT}/`, pathNot: `^${CLIENT_RULES}/`, dependencyTypesNot: ['type-only'] },
    ),
    error(
      'codec-on-protocol',
      'Codecs turn values into others: they stand on the protocol alone.',
      { path: room('codec') },
      { path: `^${SOURCES}/`, pathNot: room('codec') },
    ),
    error(
      'plan-on-rules',
      'The planner decides by values that it is given: rules of collections, records of the log, stamps.',
      { path: room('plan') },
      {
        path: `^${SOURCES}/`,
        pathNot: [
          room('plan', 'codec'),
          `^${SOURCES}/(collections/(collection|document-rules)|log/records|identity/identity)\\.ts$`,
        ],
      },
    ),
    error(
      'ground-under-ways',
      'What everything stands on knows none of the ways that use it.',
      { path: room(...GROUND), pathNot: ASSEMBLY },
      { path: room('commit', ...WAYS, ...DOORS) },
    ),
    error(
      'commit-under-ways',
      'A commit carries a plan out, whoever has asked for it.',
      { path: room('commit') },
      { path: room(...WAYS, ...DOORS) },
    ),
    error(
      'ways-under-doors',
      'A way is the same through every door: it knows neither HTTP nor sockets.',
      { path: room(...WAYS) },
      { path: room(...DOORS) },
    ),
    error(
      'reads-write-nothing',
      'Pull, full resync and stream neither plan nor write.',
      { path: room(...READS) },
      { path: room('plan', 'commit', ...WRITES), dependencyTypesNot: ['type-only'] },
    ),
    error(
      'writes-read-nothing',
      'A write does not go through what devices read with.',
      { path: room('plan', 'commit', ...WRITES) },
      { path: room(...READS) },
    ),
    ...DOORS.map((door) =>
      error(
        `${door}-is-entered`,
        'Nobody but the module imports a transport; the command line and the testing tools are entered from outside.',
        { path: '^(libs|apps)/', pathNot: [ASSEMBLY, room(door)] },
        { path: room(door), pathNot: `^${SOURCES}/testing/index\\.ts$` },
      ),
    ),
    error(
      'service-on-top',
      'SyncService is for hosts and for the controller; the rooms use each other. The command line is a host where it starts the engine.',
      { path: `^${SOURCES}/`, pathNot: [ASSEMBLY, room('http'), `^${SOURCES}/cli/admin-app\\.ts$`] },
      { path: `^${SOURCES}/sync(-admin)?\\.(service|module)\\.ts$`, pathNot: ASSEMBLY },
    ),
    error(
      'assembly-on-top',
      'Nobody below the roof knows how the rooms are put together.',
      { path: room('plan', 'codec', 'commit', ...GROUND, ...WAYS), pathNot: ASSEMBLY },
      { path: ASSEMBLY },
    ),
    error(
      'libs-through-index',
      'Another package is used by what it exports.',
      { path: '^(libs/[^/]+|apps/[^/]+)/' },
      {
        path: '^libs/[^/]+/',
        pathNot: ['^$1/', '^libs/[^/]+/src/((testing|indexeddb|sqlite|react|rxjs)/)?index\\.ts$'],
      },
    ),
    error(
      'packages-stand-alone',
      'The checker judges a deployment from outside, and the embedded MongoDB is for everybody: both know no other package.',
      { path: '^libs/(conformance|embedded-mongo)/' },
      { path: '^(libs|apps)/', pathNot: '^libs/$1/' },
    ),
    error(
      'checker-by-command-line',
      'Of the server only `nest-offline-sync conformance` uses the checker.',
      { path: `^${SOURCES}/`, pathNot: room('cli') },
      { path: '^libs/', pathNot: '^libs/(sync|protocol)/' },
    ),
    error(
      'apps-apart',
      'The demo and the benchmark know nothing of each other, and nothing that is published knows the tests.',
      { path: '^(apps/[^/]+|libs)/' },
      { path: '^(apps|test)/', pathNot: '^$1/' },
    ),
    error(
      'dependencies-declared',
      'What is published imports only its dependencies and peers.',
      { path: '^libs/', pathNot: '\\.spec\\.ts$' },
      {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['npm', 'npm-peer', 'npm-optional', 'type-only'],
      },
    ),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.spec\\.ts$|^libs/[^/]+/(esm/)?dist/|^apps/bench/peers/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
