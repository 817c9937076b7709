import { createHash } from 'node:crypto';

/** Begins every document id of the checker, so that a later run knows what an earlier one left. */
const OWN_ID = 'nosc-';
/** The same for collections whose ids are ObjectIds. */
const OWN_OBJECT_ID = 'c0ffc0ff';

/** What every marker of a tenant begins with, and no other tenant can know. */
export function secretOf(run: string, tenant: string): string {
  return `nosc${createHash('sha256').update(`${run} ${tenant}`).digest('hex').slice(0, 20)}`;
}

/** @param number unique for the client */
export function markerOf(secret: string, client: string, number: number): string {
  return `${secret}-${client}-${String(number)}-x`;
}

export interface Secrets {
  readonly own: string;
  /** Of the other tenant: what must never be found. */
  readonly foreign: string;
}

/** The first marker of either tenant in a text. */
export function findMarker(text: string, { own, foreign }: Secrets): string | null {
  const mine = text.indexOf(own);
  const from = mine < 0 ? text.indexOf(foreign) : mine;
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
