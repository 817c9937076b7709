import type { LogChange } from 'nest-offline-sync';
import type { ScopeTruth } from './truth';

const STAMP = /\d{8}T\d{6}\.\d{3}Z-\d{4}(?:-[A-Za-z0-9._-]+)?/g;

/** A text in which versions are their places in the scope's log, so that two runs of one kind can be compared. */
export function comparable(value: unknown, { entries }: ScopeTruth): string {
  const places = new Map(entries.map(({ version, seq }) => [version, `<${String(seq)}>`]));
  return JSON.stringify(value, (_, part: unknown) => (part === undefined ? null : part))
    .replace(/case-\d+-/g, 'case-')
    .replace(STAMP, (stamp) => places.get(stamp) ?? '<stamp>');
}

/** Everything of a scope that must be as in the unbroken run. */
export function comparableScope(of: ScopeTruth): string {
  const { head, entries, receipts, documents } = of;
  return comparable(
    {
      head: head && { version: head.version, seq: head.seq },
      entries: entries.map(({ seq, version, collection, doc, operation, actor, wire }) => ({
        ...{ seq, version, collection, doc, operation, actor },
        wire: JSON.parse(wire) as LogChange,
      })),
      receipts: receipts.map(({ at: _at, hash: _hash, ...rest }) => rest),
      documents,
    },
    of,
  );
}
