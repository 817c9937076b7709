import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, relative } from 'node:path';
import { HELP, readOptions, select, UsageError, type Options } from './options';
import { changesText } from './report/changes';
import { docsBlock, insertIntoPage } from './report/docs';
import { reportOf, type Report } from './report/json';
import { writePlots } from './report/plots';
import { Progress } from './report/progress';
import { table } from './report/table';
import { writeFormatted } from './report/write';
import { ROWS } from './rows';
import { runRows } from './run';
import { Stage } from './stage';
import { compareRuns } from './stats/baseline';

const PLOTS = 'docs/performance';

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') return console.log(HELP);
  if (options === 'list') return ROWS.forEach(({ id, title }) => console.log(`${id.padEnd(24)}${title}`));
  // Before minutes of measuring, so that a mistyped name costs none.
  const baseline = options.baseline === undefined ? undefined : readReport(options.baseline);
  const report = options.from === undefined ? await measure(options) : readReport(options.from);
  console.log(`\n${table(report.rows)}`);
  await write(report, options);
  if (!baseline) return;
  const changes = compareRuns(baseline.rows, report.rows);
  console.log(`\n${changesText(changes)}`);
  if (changes.some(({ worse }) => worse)) process.exitCode = 1;
}

async function write(report: Report, { json, plots, docs }: Options): Promise<void> {
  if (json !== undefined) await writeFormatted(json, JSON.stringify(report));
  if (plots !== undefined) await writePlots(report.rows, plots);
  if (docs === undefined) return;
  const block = docsBlock(report, relative(dirname(docs), plots ?? PLOTS));
  await writeFormatted(docs, insertIntoPage(readFileSync(docs, 'utf8'), block));
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
      },
      results,
    );
  } finally {
    progress.end();
    await stage.close();
  }
}

/** @throws UsageError when there is no such report */
function readReport(file: string): Report {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch (error) {
    throw new UsageError(`${file} is no report of the benchmark: ${String(error)}`);
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof UsageError ? error.message : error);
  process.exit(1);
});
