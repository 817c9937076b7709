import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import { NOTES } from '../workload/notes';
import type { BareDocument, BareStore } from './bare-store';

const BATCH = 1000;

/** What reading a scope's documents costs without a server: a cursor, JSON.stringify, gzip at level 1. */
export async function bareFull(
  store: BareStore,
  scope: string,
  gzip: boolean,
): Promise<{ chunks: Buffer[]; seconds: number; firstByteMs: number }> {
  const chunks: Buffer[] = [];
  let firstByteMs = NaN;
  const started = performance.now();
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (chunks.length === 0) firstByteMs = performance.now() - started;
      chunks.push(chunk);
      done();
    },
  });
  const lines = Readable.from(batches(store, scope), { objectMode: true });
  if (gzip) await pipeline(lines, createGzip({ level: 1, finishFlush: constants.Z_FINISH }), sink);
  else await pipeline(lines, sink);
  return { chunks, seconds: (performance.now() - started) / 1000, firstByteMs };
}

async function* batches(store: BareStore, scope: string): AsyncGenerator<Buffer> {
  const cursor = store.documents.find(
    { _sync_scope_id: scope },
    { sort: { _id: 1 }, hint: { _sync_scope_id: 1, _id: 1 }, batchSize: BATCH },
  );
  while (await cursor.hasNext()) yield Buffer.from(cursor.readBufferedDocuments().map(line).join(''), 'utf8');
}

function line({ _id, _sync_version, _sync_deleted, ...fields }: BareDocument): string {
  const { title, done, note, qty } = fields;
  const data = { title, done, note, qty };
  return `${JSON.stringify({ collection: NOTES, doc_id: _id, data, deleted: _sync_deleted, version: _sync_version })}\n`;
}
