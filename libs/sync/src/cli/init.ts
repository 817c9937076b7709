import type { Command } from 'commander';
import { SYNC_FIELDS } from '../codec/stored-document';
import { adviceFor, createLayout, databaseLayout, refuseUnfit } from '../database/layout';
import type { OplogRepository } from '../log/oplog';
import { checkNames, names } from './collection-names';
import { withDatabase, type ConnectionOptions } from './connection';
import type { CliOutput } from './output';

interface InitOptions extends ConnectionOptions {
  readonly collections: readonly string[];
  readonly tombstoneTtlDays?: string;
}

/** `init`: makes what the engine needs in the database, and says what it must not make itself. */
export function addInit(program: Command, { out }: CliOutput): Command {
  return program
    .command('init')
    .description("make the engine's collections and indexes; any number of times, nothing is overwritten")
    .option('--collections <names>', 'your synced collections, joined by commas', names, [])
    .option(
      '--tombstone-ttl-days <days>',
      'as in the options of the app: above 0, their tombstones get an index',
    )
    .action(async (_: unknown, command: Command) => {
      const options = command.optsWithGlobals<InitOptions>();
      const tombstoneTtlDays = Number(options.tombstoneTtlDays ?? 0);
      await withDatabase(options, { tombstoneTtlDays }, async ({ oplog, settings }) => {
        checkNames(options.collections, settings);
        await refuseUnfit(oplog.db, settings, options.collections);
        const made = await createLayout(oplog.db, databaseLayout(settings, options.collections));
        for (const what of made) out(`made      ${what}\n`);
        for (const name of options.collections) {
          const count = await backfill(oplog, name);
          if (count > 0) out(`completed ${name}: ${count} documents got ${SYNC_FIELDS.deleted}: false\n`);
        }
        for (const name of options.collections)
          for (const advice of await adviceFor(oplog.db, name)) out(`to do     ${advice}\n`);
        out(
          options.collections.length > 0
            ? `Database ${oplog.db.databaseName} is ready.\n`
            : `Database ${oplog.db.databaseName} has what the engine needs. With --collections your own are looked after too.\n`,
        );
      });
    });
}

/** Documents from before the field was there: partial unique indexes would not count them. */
export async function backfill(oplog: OplogRepository, collection: string): Promise<number> {
  const { modifiedCount } = await oplog.db
    .collection(collection, { writeConcern: { w: 'majority' } })
    .updateMany(
      { [SYNC_FIELDS.scope]: { $exists: true }, [SYNC_FIELDS.deleted]: { $exists: false } },
      { $set: { [SYNC_FIELDS.deleted]: false } },
    );
  return modifiedCount;
}
