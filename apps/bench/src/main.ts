import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { HELP, readOptions, select, UsageError, type Options } from './options';
import { reportOf, type Report } from './report/json';
import { Progress } from './report/progress';
import { table } from './report/table';
import { ROWS } from './rows';
import { runRows } from './run';
import { Stage } from './stage';

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') return console.log(HELP);
  if (options === 'list') return ROWS.forEach(({ id, title }) => console.log(`${id.padEnd(24)}${title}`));
  const report = await measure(options);
  console.log(`\n${table(report.rows)}`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
}

async function measure(options: Options): Promise<Report> {
  const rows = select(ROWS, options.only);
  const stage = await Stage.open(options);
  process.once('SIGINT', () => void stage.close().finally(() => process.exit(130)));
  const progress = new Progress(rows, options);
  try {
    const results = await runRows(stage, rows, options, progress);
    const { seed, rounds, seconds, quick, peers } = options;
    return reportOf(
      {
        date: new Date().toISOString(),
        seed,
        rounds,
        seconds,
        quick,
        peers,
        node: process.version,
        mongod: await stage.mongoVersion(),
        cores: cpus().length,
        cpu: cpus()[0]?.model ?? '',
      },
      results,
    );
  } finally {
    progress.end();
    await stage.close();
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof UsageError ? error.message : error);
  process.exit(1);
});
