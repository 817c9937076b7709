import { isDeepStrictEqual } from 'node:util';
import type { FullLine } from 'nest-offline-sync-protocol';
import { check } from '../check';
import { Device } from '../device';
import type { Cast } from './cast';

export async function showFullResync({ stage, server, bob, business }: Cast): Promise<void> {
  await stage.chapter('Full resync: a new device, or one that was away for too long');
  const tablet = await Device.of(server, 'new-tablet', 'carol', business);
  await stage.does('carol', 'unpacks a new tablet and loads everything, three documents per page');
  const lines: FullLine[] = [];
  let pages = 0;
  let lastSeq: string | undefined;
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await tablet.full(3, cursor);
    lines.push(...page.lines);
    check(lastSeq === undefined || lastSeq === page.lastSeq, 'each page has the same cursor to pull from');
    ({ lastSeq, cursor } = page);
    pages += 1;
  }
  check(
    lines.some(({ collection, deleted }) => collection === 'notes' && deleted),
    'the deleted note is there as a tombstone',
  );
  await stage.works(
    `${String(lines.length)} documents in ${String(pages)} pages, including deleted ones`,
    lines.map(({ collection, deleted }) => (deleted ? `${collection} (deleted)` : collection)),
  );

  await stage.does('carol', 'pulls what happened since the first page');
  tablet.cursor = lastSeq;
  check((await tablet.pullAll()).length === 0, 'nothing happened since');
  bob.cursor = undefined;
  const folded = new Map(
    (await bob.pullAll()).map((entry) => [`${entry.collection}/${entry.doc_id}`, entry.data]),
  );
  const loaded = new Map(lines.map((line) => [`${line.collection}/${line.doc_id}`, line.data]));
  check(
    folded.size === loaded.size &&
      [...folded].every(([key, data]) => isDeepStrictEqual(data, loaded.get(key))),
    'the folded log and the full resync are the same documents',
  );
  await stage.works('Folding the log and loading everything give the same documents');
}
