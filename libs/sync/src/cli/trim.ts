import { InvalidArgumentError, type Command } from 'commander';
import { trimOnce, type TrimReport } from '../retention/trim-once';
import { withDatabase, type ConnectionOptions } from './connection';
import type { CliOutput } from './output';

interface TrimOptions extends ConnectionOptions {
  readonly oplogTtlDays: number;
  readonly oplogMaxEntries?: number;
  readonly receiptTtlDays: number;
  readonly grace: number;
  readonly json?: boolean;
}

/** `trim`: one run of the retention job, next to the app's own ones or in their place. */
export function addTrim(program: Command, { out }: CliOutput): Command {
  return program
    .command('trim')
    .description('do now what the retention job of the app does; give the same values as the app has')
    .option('--oplog-ttl-days <days>', 'keep log entries that long; 0 keeps them for ever', number, 30)
    .option('--oplog-max-entries <count>', 'keep that many entries of each scope', number)
    .option('--receipt-ttl-days <days>', 'keep receipts that much longer than the log', number, 30)
    .option(
      '--grace <seconds>',
      "wait that long between raising a scope's floor and deleting below it; " +
        '0 deletes at once: only while the app is stopped, a client that reads meanwhile may miss changes',
      number,
      600,
    )
    .option('--json', 'print the result as JSON')
    .action(async (_: unknown, command: Command) => {
      const { grace, json, ...options } = command.optsWithGlobals<TrimOptions>();
      const { oplogTtlDays, oplogMaxEntries, receiptTtlDays } = options;
      const rules = { oplogTtlDays, oplogMaxEntries, receiptTtlDays, trimGraceMs: Math.round(grace * 1000) };
      const report = await withDatabase(options, rules, ({ oplog, settings }) =>
        trimOnce({ oplog }, settings),
      );
      out(json ? `${JSON.stringify(report)}\n` : told(report, grace));
    });
}

function told(report: TrimReport, grace: number): string {
  const { scopes, raised, waiting, deletedEntries, deletedReceipts } = report;
  const rest =
    waiting > 0
      ? `${waiting} scopes have entries below their floor: a run after the grace period of ${grace} s deletes them.\n`
      : '';
  return (
    `Looked at ${scopes} scopes: raised the floor of ${raised}, ` +
    `deleted ${deletedEntries} entries and ${deletedReceipts} receipts.\n${rest}`
  );
}

function number(value: string): number {
  const parsed = Number(value);
  if (value.trim() === '' || !Number.isFinite(parsed) || parsed < 0)
    throw new InvalidArgumentError('It must be a number that is not negative.');
  return parsed;
}
