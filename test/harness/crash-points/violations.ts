import type { LogChange } from 'nest-offline-sync';
import type { EntryRecord } from '../../../libs/sync/src/log/records';
import { LEDGER, type ScopeTruth } from './truth';

/** The invariants that hold whatever happened; for each violation a sentence. */
export function violations(of: ScopeTruth): string[] {
  const found = [...ofOrder(of), ...ofDocuments(of), ...ofReceipts(of)];
  return found.map((sentence) => `${of.scope}: ${sentence}`);
}

function ofOrder({ head, entries }: ScopeTruth): string[] {
  const found: string[] = [];
  for (const [index, entry] of entries.entries()) {
    if (entry.seq !== index + 1) found.push(`seq ${String(entry.seq)} where ${String(index + 1)} was due`);
    const before = entries[index - 1];
    if (before && entry.version <= before.version)
      found.push(`version of ${String(entry.seq)} does not rise`);
  }
  const last = entries.at(-1);
  if ((head?.seq ?? 0) !== entries.length) found.push('the head has another seq than the last entry');
  if (last && head?.version !== last.version) found.push('the head has another version than the last entry');
  return found;
}

/** Each document is as its newest entry says. */
function ofDocuments({ entries, documents }: ScopeTruth): string[] {
  const found: string[] = [];
  const newest = new Map<string, EntryRecord>();
  for (const entry of entries) newest.set(`${entry.collection} ${String(entry.doc)}`, entry);
  for (const { collection, _id, ...row } of documents) {
    if (collection === LEDGER) continue;
    const key = `${collection} ${String(_id)}`;
    const entry = newest.get(key);
    newest.delete(key);
    if (!entry) found.push(`${key} has no entry`);
    else if (row['_sync_version'] !== entry.version)
      found.push(`${key} is of another version than its entry`);
    else if ((row['_sync_deleted'] === true) !== (entry.operation === 'delete'))
      found.push(`${key} is deleted, or its entry is, not both`);
    else if (entry.operation === 'upsert') {
      const own = Object.fromEntries(Object.entries(row).filter(([field]) => !field.startsWith('_sync_')));
      if (sorted(own) !== sorted((JSON.parse(entry.wire) as LogChange).data))
        found.push(`${key} has other data than its entry`);
    }
  }
  for (const [key, entry] of newest)
    // With a global id the document itself has moved to its new scope.
    if (!(entry.operation === 'delete' && entry.collection === 'shared'))
      found.push(`${key} has an entry and no document`);
  return found;
}

function ofReceipts({ entries, receipts }: ScopeTruth): string[] {
  const versions = new Set(entries.map(({ version }) => version));
  return receipts
    .filter(({ new_version }) => new_version !== null && !versions.has(new_version))
    .map(({ _id }) => `the receipt of ${_id.mutation} names a version that is not in the log`);
}

function sorted(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    part && typeof part === 'object' && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
