import { Command, CommanderError, Option } from 'commander';
import { explainFailure } from './failure';
import { addInit } from './init';
import type { CliOutput } from './output';
import { addStatus } from './status';
import { addTrim } from './trim';

/**
 * The command line.
 *
 * @param argv what stands behind the program's name
 * @returns the exit code: 0, or 1 with a message on `err` that says what to do
 */
export async function runCli(argv: readonly string[], output: CliOutput): Promise<number> {
  const program = buildProgram(output);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has written its own message, or the help that was asked for.
    if (error instanceof CommanderError) return error.exitCode;
    const uri = uriOf(argv) ?? process.env['MONGODB_URI'];
    output.err(`error: ${explainFailure(error, uri)}\n`);
    return 1;
  }
}

function buildProgram(output: CliOutput): Command {
  const program = new Command('nest-offline-sync')
    .description('Sets up, shows and trims what nest-offline-sync keeps in a MongoDB database.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => output.out(text), writeErr: (text) => output.err(text) });
  for (const command of [addInit(program, output), addStatus(program, output), addTrim(program, output)])
    addConnectionOptions(command);
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
