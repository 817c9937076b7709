import { createHash } from 'node:crypto';

/** Begins every document id of the checker, so that a later run knows what an earlier one left. */
const OWN_ID = 'nosc-';
/** The same for collections whose ids are ObjectIds. */
const OWN_OBJECT_ID = 'c0ffc0ff';

/** Begins every marker of a run. */
function markOf(run: string): string {
  return `nosc${createHash('sha256').update(run).digest('hex').slice(0, 8)}`;
}

/** What every marker of a log (a tenant's, a scope's) begins with, and nobody who may not read it can know. */
export function secretOf(run: string, log: string): string {
  return `${markOf(run)}${createHash('sha256').update(`${run} ${log}`).digest('hex').slice(0, 14)}`;
}

export interface Secrets {
  readonly own: string;
  /** What the secrets of all logs of the run begin with. */
  readonly run: string;
}

export function secretsOf(run: string, log: string): Secrets {
  return { own: secretOf(run, log), run: markOf(run) };
}

/** @param number unique for the client */
export function markerOf(secret: string, client: string, number: number): string {
  return `${secret}-${client}-${String(number)}-x`;
}

/** Where a marker of another log begins in a text; -1: nowhere. */
export function foreignAt(text: string, { own, run }: Secrets): number {
  let at = text.indexOf(run);
  while (at >= 0 && text.startsWith(own, at)) at = text.indexOf(run, at + own.length);
  return at;
}

/** The first marker of one's own log in a text, else of any other of the run. */
export function findMarker(text: string, secrets: Secrets): string | null {
  const mine = text.indexOf(secrets.own);
  const from = mine < 0 ? foreignAt(text, secrets) : mine;
  if (from < 0) return null;
  const marker = /^[0-9a-z]+-[0-9a-z]+-\d+-x/.exec(text.slice(from, from + 120))?.[0];
  // A copy: a part of a string would keep the whole document in memory.
  return marker === undefined ? null : Buffer.from(marker, 'latin1').toString('latin1');
}

/** An id that no other run, owner or number has. */
export function ownId(ids: 'text' | 'objectid', run: string, owner: number, number: number): string {
  if (ids === 'text') return `${OWN_ID}${run}-${String(owner)}-${String(number)}`;
  const hex = (value: number, width: number): string => value.toString(16).padStart(width, '0');
  const runPart = createHash('sha256').update(run).digest('hex').slice(0, 8);
  return `${OWN_OBJECT_ID}${runPart}${hex(owner, 2)}${hex(number, 6)}`;
}

/** Whether a document was made by this or an earlier run of the checker. */
export function isOwnId(docId: string): boolean {
  return docId.startsWith(OWN_ID) || docId.startsWith(OWN_OBJECT_ID);
}
