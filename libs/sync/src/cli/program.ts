import { Command, CommanderError, Option } from 'commander';
import { WorkloadError } from 'nest-offline-sync-conformance';
import { addAdopt } from './adopt';
import { addConformance } from './conformance';
import { explainFailure } from './failure';
import { addInit } from './init';
import type { CliOutput } from './output';
import { addStatus } from './status';
import { addTrim } from './trim';
import { addUpgrade } from './upgrade';
import { addVerify } from './verify';

/**
 * The command line.
 *
 * @param argv what stands behind the program's name
 * @returns the exit code: 0, or 1 with a message on `err` that says what to do; `verify` and `conformance` have 1 for what they
 *   found, and 2 for a run that could not be
 */
export async function runCli(argv: readonly string[], output: CliOutput): Promise<number> {
  let exitCode = 0;
  const program = buildProgram(output, (code) => (exitCode = code));
  const failed = ['conformance', 'verify'].includes(argv[0] ?? '') ? 2 : 1;
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has written its own message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : failed;
    if (error instanceof WorkloadError) {
      output.err(`error: ${error.message}\n`);
      return failed;
    }
    const uri = uriOf(argv) ?? process.env['MONGODB_URI'];
    output.err(`error: ${explainFailure(error, uri)}\n`);
    return failed;
  }
}

function buildProgram(output: CliOutput, exitWith: (code: number) => void): Command {
  const program = new Command('nest-offline-sync')
    .description(
      'Sets up, shows, trims and verifies what nest-offline-sync keeps in a MongoDB database, and checks a deployment of it.',
    )
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.out(text), writeErr: (text) => output.err(text) });
  for (const command of [
    addInit(program, output),
    addStatus(program, output),
    addVerify(program, output, exitWith),
    addTrim(program, output),
    addAdopt(program, output, exitWith),
    addUpgrade(program, output),
  ])
    addConnectionOptions(command);
  addConformance(program, output, exitWith);
  return program;
}

function addConnectionOptions(command: Command): void {
  command
    .addOption(
      new Option(
        '--mongodb-uri <uri>',
        'the replica set; other users of this machine can read it on a command line, but not in the environment',
      ).env('MONGODB_URI'),
    )
    .addOption(
      new Option('--database <name>', 'the database; default: the one in the URI').env('MONGODB_DATABASE'),
    )
    .option('--oplog-collection <name>', 'as in the options of the app', 'sync_oplog')
    .option('--heads-collection <name>', 'as in the options of the app', 'sync_heads')
    .option('--receipts-collection <name>', 'as in the options of the app', 'sync_receipts')
    .option('--leases-collection <name>', 'as in the options of the app', 'sync_leases');
}

function uriOf(argv: readonly string[]): string | undefined {
  const at = argv.findIndex((part) => part === '--mongodb-uri' || part.startsWith('--mongodb-uri='));
  return argv[at]?.includes('=') ? argv[at].slice('--mongodb-uri='.length) : argv[at + 1];
}
