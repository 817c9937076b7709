import { pipeline, Readable } from 'node:stream';
import { constants, createGzip } from 'node:zlib';

/** What zlib gives at a time: its default costs four turns of the event loop for a chunk of lines. */
const ZIPPED_PIECE_BYTES = 64 << 10;

/**
 * The body of a full resync as a byte stream. Its reader's pace is the database's pace, and destroying it ends `lines`,
 * and with them the cursor in the database.
 */
export function fullBody(lines: AsyncIterable<Uint8Array>, gzip: boolean): Readable {
  const source = Readable.from(lines, { objectMode: false });
  if (!gzip) return source;
  // Level 1: the database is waited for, not the wire. Each chunk is flushed, so that rows go out as they come.
  const zip = createGzip({ level: 1, flush: constants.Z_SYNC_FLUSH, chunkSize: ZIPPED_PIECE_BYTES });
  // Not source.pipe(zip): that leaves the source, and so the cursor, open when the client goes away.
  pipeline(source, zip, () => {
    // An error of the source destroys `zip` with it: whoever reads `zip` is told.
  });
  return zip;
}
