import mongoose from 'mongoose';
import { ForeignWriter, type Pacing } from './foreign-writer';
import type { PlainNote } from './plain-notes';
import { NOTES } from '../workload/notes';

/** Writes at a steady rate in a process of its own, so that nothing that is measured shares its time. Told by messages, and tells by them. */
async function main([uri = '', database = '', seed = '', name = '']: readonly string[]): Promise<void> {
  const client = await mongoose.mongo.MongoClient.connect(uri);
  const store = client.db(database).collection<PlainNote>(NOTES);
  const writer = new ForeignWriter(Number(seed), name, store);
  process.on('disconnect', () => process.exit(0));
  process.on('message', (pacing: Pacing) => {
    void writer.run(pacing).then((run) => process.send?.(run), fail);
  });
  await writer.begin();
  process.send?.([...writer.written]);
}

function fail(error: unknown): void {
  console.error(error);
  process.exit(1);
}

main(process.argv.slice(2)).catch(fail);
