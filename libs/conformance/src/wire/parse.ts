import type { Answer, ChangeResult, FullRow, PullEvent, Seen } from '../history';
import { digestOf } from './digest';
import { jsonOf, type Reply } from './exchange';
import { findMarker, type Secrets } from './marker';

type Fields = Readonly<Record<string, unknown>>;

/** What a server of any quality sent, as an object; empty when it is none. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const id = (value: unknown): string | null => (typeof value === 'number' ? String(value) : text(value));

/** A log entry as pull and stream give it. What is missing becomes `''` or `-1`, for the oracle to find. */
export function parseEntry(value: unknown, secrets: Secrets): Seen {
  const entry = fieldsOf(value);
  const data = entry['data'];
  return {
    version: text(entry['version']) ?? '',
    seq: typeof entry['seq'] === 'number' ? entry['seq'] : -1,
    collection: text(entry['collection']) ?? '',
    docId: id(entry['doc_id']) ?? '',
    operation: text(entry['operation']) ?? '',
    marker: data === null || data === undefined ? null : findMarker(JSON.stringify(data), secrets),
    digest: digestOf(data),
  };
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
          }
        : null,
  };
}

/** One result a change, or null when the answer has no list of them. */
export function parseResults(reply: Reply | null): ChangeResult[] | null {
  if (reply?.status !== 200) return null;
  const results = fieldsOf(jsonOf(reply.text))['results'];
  return Array.isArray(results) ? results.map(parseResult) : null;
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
export function parseRows(body: string, secrets: Secrets): FullRow[] | null {
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
