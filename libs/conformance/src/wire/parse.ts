import type {
  Answer,
  ChangeResult,
  DigestEvent,
  DigestPart,
  FullRow,
  PatchedFields,
  PullEvent,
  Seen,
} from '../history';
import { digestOf } from './digest';
import { jsonOf, type Reply } from './exchange';
import { findMarker, type Secrets } from './marker';
import type { PatchFields } from '../workload/options';

type Fields = Readonly<Record<string, unknown>>;

/** What a server of any quality sent, as an object; empty when it is none. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const id = (value: unknown): string | null => (typeof value === 'number' ? String(value) : text(value));

/** What a device knows, to read what it gets. */
export interface Reading {
  readonly secrets: Secrets;
  /** The fields that patches change, by collection. */
  readonly patched?: ReadonlyMap<string, PatchFields>;
}

/** A log entry as pull and stream give it. What is missing becomes `''` or `-1`, for the oracle to find. */
export function parseEntry(value: unknown, { secrets, patched }: Reading): Seen {
  const entry = fieldsOf(value);
  const data = entry['data'];
  const [client, mutation] = [text(entry['client_id']), text(entry['mutation_id'])];
  return {
    version: text(entry['version']) ?? '',
    seq: typeof entry['seq'] === 'number' ? entry['seq'] : -1,
    collection: text(entry['collection']) ?? '',
    docId: id(entry['doc_id']) ?? '',
    operation: text(entry['operation']) ?? '',
    marker: data === null || data === undefined ? null : findMarker(JSON.stringify(data), secrets),
    digest: digestOf(data),
    ...(client === null ? {} : { client }),
    ...(mutation === null ? {} : { mutation }),
    ...shared(entry, patched),
  };
}

/** What entries and rows have in common. */
function shared(value: Fields, patched: Reading['patched']): Pick<Seen, 'fields' | 'numericId'> {
  const names = patched?.get(text(value['collection']) ?? '');
  const data = value['data'];
  return {
    ...(typeof value['doc_id'] === 'number' ? { numericId: true } : {}),
    ...(names === undefined || data === null || data === undefined ? {} : { fields: patchedOf(data, names) }),
  };
}

function patchedOf(data: unknown, { count, list, optional }: PatchFields): PatchedFields {
  const number = at(data, count);
  const values = at(data, list);
  return {
    count: typeof number === 'number' ? number : null,
    list: Array.isArray(values) && values.every((each) => typeof each === 'string') ? values : null,
    optional: text(at(data, optional)),
  };
}

function at(data: unknown, path: string | undefined): unknown {
  return path?.split('.').reduce<unknown>((value, name) => fieldsOf(value)[name], data);
}

export function parseResult(value: unknown): ChangeResult {
  const result = fieldsOf(value);
  const document = result['server_document'];
  return {
    docId: id(result['doc_id']),
    status: text(result['status']) ?? '',
    newVersion: text(result['new_version']),
    serverVersion: text(result['server_version']),
    code: text(result['code']),
    replayed: result['replayed'] === true,
    explained: typeof result['error'] === 'string' && result['error'] !== '',
    serverDocument:
      typeof document === 'object' && document !== null
        ? {
            version: text(fieldsOf(document)['version']) ?? '',
            deleted: fieldsOf(document)['deleted'] === true,
            digest: digestOf(fieldsOf(document)['data']),
          }
        : null,
    seq: typeof result['seq'] === 'number' ? result['seq'] : null,
  };
}

/** One result a change, or null when the answer has no list of them. */
export function parseResults(reply: Reply | null): ChangeResult[] | null {
  return reply?.status === 200 ? resultsOf(jsonOf(reply.text)) : null;
}

/** Of the answer to a push, over HTTP or the socket. */
export function resultsOf(answer: unknown): ChangeResult[] | null {
  const results = fieldsOf(answer)['results'];
  return Array.isArray(results) ? results.map(parseResult) : null;
}

/** What a digest says; null when the answer is none. */
export function parseDigest(
  reply: Reply | null,
): Pick<DigestEvent, 'lastSeq' | 'tombstoneFloor' | 'collections'> | null {
  if (reply?.status !== 200) return null;
  const { last_seq: lastSeq, tombstone_floor: floor, collections } = fieldsOf(jsonOf(reply.text));
  if (typeof lastSeq !== 'string' || !Array.isArray(collections)) return null;
  return {
    lastSeq,
    tombstoneFloor: text(floor),
    collections: collections.map(fieldsOf).map(({ collection, live, deleted }) => ({
      collection: text(collection) ?? '',
      live: partOf(live),
      deleted: partOf(deleted),
    })),
  };
}

function partOf(value: unknown): DigestPart {
  const { count, hash } = fieldsOf(value);
  return { count: typeof count === 'number' ? count : -1, hash: text(hash) ?? '' };
}

/** A page of pull; null when the answer is none. */
export function parsePage(reply: Reply | null, entryOf: (value: unknown) => Seen): PullEvent['page'] {
  if (reply?.status !== 200) return null;
  const page = fieldsOf(jsonOf(reply.text));
  if (page['full_resync_required'] === true) return { resync: text(page['reason']) ?? '' };
  const changes = page['changes'];
  if (!Array.isArray(changes)) return null;
  return {
    changes: changes.map(entryOf),
    lastSeq: text(page['last_seq']) ?? '',
    seq: typeof page['seq'] === 'number' ? page['seq'] : -1,
    hasMore: page['has_more'] === true,
  };
}

/** The documents of a full resync; null when a line is no JSON, or follows the end line: the body is no page. */
export function parseRows(body: string, { secrets, patched }: Reading): FullRow[] | null {
  const rows: FullRow[] = [];
  let ended = false;
  for (const line of body.split('\n')) {
    if (line === '') continue;
    const value = jsonOf(line);
    if (value === undefined || ended) return null;
    const row = fieldsOf(value);
    ended = row['end'] === true;
    if (ended) continue;
    const data = row['data'];
    rows.push({
      collection: text(row['collection']) ?? '',
      docId: id(row['doc_id']) ?? '',
      deleted: row['deleted'] === true,
      version: text(row['version']),
      digest: digestOf(data),
      marker: data === null || data === undefined ? null : findMarker(line, secrets),
      ...shared(row, patched),
    });
  }
  return rows;
}

/** Whether the last line of a full resync says that the page is whole, and what the headers say. */
export function isWhole({ text: body, headers }: Reply): boolean {
  const end = fieldsOf(jsonOf(body.trimEnd().split('\n').at(-1) ?? ''));
  return (
    end['end'] === true &&
    text(end['last_seq']) === headers.get('x-sync-lastseq') &&
    end['cursor'] === headers.get('x-sync-cursor')
  );
}

export function answerOf(reply: Reply | null): Answer {
  if (reply === null) return null;
  return {
    status: reply.status,
    code: reply.status === 200 ? null : text(fieldsOf(jsonOf(reply.text))['code']),
  };
}
