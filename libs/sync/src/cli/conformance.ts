import { randomInt } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import {
  checkDeployment,
  renderVerdict,
  WorkloadError,
  type Check,
  type CheckOptions,
} from 'nest-offline-sync-conformance';
import { appWrite, count, each, idKind, patchFields, template } from './conformance-arguments';
import { ProgressBar, type CliOutput } from './output';

interface Given {
  readonly token?: string;
  readonly otherToken?: string;
  readonly collection?: readonly string[];
  readonly data?: readonly ReturnType<typeof template>[];
  readonly ids?: readonly ReturnType<typeof idKind>[];
  readonly patch?: readonly ReturnType<typeof patchFields>[];
  readonly appWrite?: ReturnType<typeof appWrite>;
  readonly seconds: number;
  readonly seed?: number;
  readonly writers?: number;
  readonly prefix: string;
  readonly json?: string;
  readonly force?: boolean;
  readonly keep?: boolean;
}

const READABLE = 'others can read a command line, but not the environment';

/** `conformance`: writes to a deployment, reads it in every way, and says which invariants held. Needs no database. */
export function addConformance(program: Command, output: CliOutput, exitWith: (code: number) => void): void {
  program
    .command('conformance')
    .description(
      'check the invariants on a running deployment, over its public wire alone.\n\n' +
        'It writes into the scope of the token, and into other scopes of it that are empty, and deletes its documents at the ' +
        'end; their tombstones and log entries stay. Give a token of a scope that nothing else uses. It takes at most about a minute longer than --seconds, unless ' +
        'the server does not answer.\n\nExit code: 0 every invariant held, 1 one was violated, 2 it could not run.',
    )
    .argument('<url...>', 'base URLs of the server processes, such as https://api.example.com')
    .addOption(
      new Option('--token <token>', `bearer token of the scope to write to; ${READABLE}`).env('SYNC_TOKEN'),
    )
    .addOption(
      new Option(
        '--other-token <token>',
        'of another scope, which is written to as well: without it nothing is said of isolation between tenants',
      ).env('SYNC_OTHER_TOKEN'),
    )
    .option('--collection <name>', 'to write to; may be repeated', each(String))
    .option(
      '--data <json>',
      'a document that the collection takes, with {marker} in one of its strings; one a collection, or one for all',
      each(template),
    )
    .option('--ids <kind>', 'text or objectid: what the ids of the collection are; as --data', each(idKind))
    .option(
      '--patch <json>',
      'fields that patches may change: {"count":"visits","list":"tags","optional":"due"}, a number, a list of texts, a text; as --data',
      each(patchFields),
    )
    .option(
      '--app-write <request>',
      'a route of the app that writes through SyncService: \'POST /orders {"note":"{marker}"}\'',
      appWrite,
    )
    .option('--seconds <count>', 'how long to write', count, 30)
    .option('--seed <number>', 'of an earlier run, to send the same again', count)
    .option('--writers <count>', 'devices that push at the same time', count)
    .option('--prefix <path>', 'of the sync routes', 'sync')
    .option('--json <file>', 'write the verdict and everything that was seen to a file')
    .option('--force', 'also when the scope holds data of others')
    .option('--keep', 'leave the documents there')
    .action(async (urls: readonly string[], given: Given) => {
      const options = optionsOf(urls, given);
      const record = given.json === undefined ? undefined : await openRecord(given.json);
      try {
        exitWith(await run(options, output, record));
      } finally {
        await record?.close();
      }
    });
}

async function run(options: CheckOptions, output: CliOutput, record: Record | undefined): Promise<number> {
  const { out, err } = output;
  const bar = new ProgressBar(output, options.seconds);
  const interrupted = new AbortController();
  const stop = (): void => {
    bar.say('Stopping; what was seen so far is judged. Once more ends it at once.');
    interrupted.abort();
  };
  process.once('SIGINT', stop);
  out(
    `Writes to ${options.collections.map(({ name }) => name).join(', ')} in the scope of the given token.\n`,
  );
  try {
    const check = await checkDeployment({
      ...options,
      signal: interrupted.signal,
      onProgress: (progress) => bar.show(progress),
    });
    bar.end();
    await record?.write(check);
    out(`${renderVerdict(check.verdict, { colour: output.colour })}${remark(check, options)}`);
    return check.verdict.held ? 0 : 1;
  } catch (error) {
    bar.end();
    if (!(error instanceof WorkloadError)) throw error;
    err(`error: ${error.message}\n`);
    return 2;
  } finally {
    process.off('SIGINT', stop);
  }
}

function remark({ left }: Check, { keep }: CheckOptions): string {
  if (keep) return '';
  return left === 0
    ? 'Its documents were deleted.\n'
    : `${left} of its documents could not be deleted: their ids begin with nosc-.\n`;
}

/** @throws WorkloadError when something is missing */
function optionsOf(urls: readonly string[], given: Given): CheckOptions {
  const { token, otherToken, collection = [], data = [], ids = [], patch = [] } = given;
  const { seconds, writers, prefix } = given;
  if (token === undefined || token === '')
    throw new WorkloadError('Give --token, or SYNC_TOKEN in the environment.');
  const [first] = collection;
  if (first === undefined) throw new WorkloadError('Give --collection: the name of a synced collection.');
  for (const [name, list] of Object.entries({ '--data': data, '--ids': ids, '--patch': patch }))
    if (list.length > 1 && list.length !== collection.length)
      throw new WorkloadError(`Give ${name} once for all collections, or once for each of them.`);
  const seed = given.seed ?? randomInt(1, 2 ** 31);
  return {
    ...{ urls, token, seed, seconds, prefix },
    collections: collection.map((name, index) => ({
      name,
      template: data[index] ?? data[0] ?? { title: '{marker}' },
      ids: ids[index] ?? ids[0] ?? 'text',
      patch: patch[index] ?? patch[0],
    })),
    command: commandOf(urls, given, seed),
    ...(otherToken ? { otherToken } : {}),
    ...(writers === undefined ? {} : { writers }),
    ...(given.appWrite ? { appWrite: given.appWrite } : {}),
    ...(given.force ? { force: true } : {}),
    ...(given.keep ? { keep: true } : {}),
  };
}

/** Everything but the tokens. */
function commandOf(urls: readonly string[], given: Given, seed: number): string {
  const quoted = (text: string): string =>
    /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
  const { collection = [], data = [], ids = [], patch = [], seconds, writers, prefix } = given;
  const parts = [
    ...urls,
    ...collection.flatMap((name) => ['--collection', name]),
    ...data.flatMap((document) => ['--data', JSON.stringify(document)]),
    ...ids.flatMap((kind) => ['--ids', kind]),
    ...patch.flatMap((fields) => ['--patch', JSON.stringify(fields)]),
    ...(given.appWrite
      ? [
          '--app-write',
          `${given.appWrite.method} ${given.appWrite.path} ${JSON.stringify(given.appWrite.body)}`,
        ]
      : []),
    ...(prefix === 'sync' ? [] : ['--prefix', prefix]),
    ...(writers === undefined ? [] : ['--writers', String(writers)]),
    ...['--seconds', String(seconds), '--seed', String(seed)],
  ];
  const tokens = `SYNC_TOKEN=… ${given.otherToken ? 'SYNC_OTHER_TOKEN=… ' : ''}`;
  return `${tokens}npx nest-offline-sync conformance ${parts.map(quoted).join(' ')}`;
}

/** A file with the verdict and the whole history: an event a line. Documents and tokens stand in neither. */
export interface Record {
  write(check: Check): Promise<void>;
  close(): Promise<void>;
}

/** @throws WorkloadError when the file cannot be written, before anything else is done */
async function openRecord(path: string): Promise<Record> {
  const file = await open(path, 'w').catch((error: unknown) => {
    throw new WorkloadError(`--json: ${error instanceof Error ? error.message : String(error)}`);
  });
  return {
    write: async ({ verdict, history: { events, ...rest } }) => {
      const head = JSON.stringify({ ...rest, verdict });
      await file.write(`${head.slice(0, -1)},"events":[\n`);
      const block = 5000;
      for (let from = 0; from < events.length; from += block) {
        const lines = events.slice(from, from + block).map((event) => JSON.stringify(event));
        await file.write(`${lines.join(',\n')}${from + block < events.length ? ',' : ''}\n`);
      }
      await file.write(']}\n');
    },
    close: () => file.close(),
  };
}
