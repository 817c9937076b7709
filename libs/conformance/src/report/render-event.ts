import type { Answer, ChangeResult, FullRow, HistoryEvent, Seen, SentChange, StreamEvent } from '../history';

/** One event as short lines: when, who, what was sent, what came back. */
export function renderEvent(event: HistoryEvent): string[] {
  const { when, who, what } = headOf(event);
  return [`${when} ${who} ${what}`, ...rowsOf(event).map((row) => `${' '.repeat(when.length + 3)}${row}`)];
}

interface Head {
  readonly when: string;
  readonly who: string;
  readonly what: string;
}

function headOf(event: HistoryEvent): Head {
  const when = 'sentAt' in event ? span(event.sentAt, event.answeredAt) : seconds(event.at).padEnd(SPAN);
  switch (event.kind) {
    case 'push': {
      const way = event.via === 'socket' ? ' over the socket' : '';
      const what = `push #${event.id}${way}, atomic ${event.atomic} -> ${answerText(event.answer)}`;
      return { when, who: `${logOf(event)} ${event.client}`, what };
    }
    case 'pull': {
      const what = `pull ${cursor(event.since)}${event.bySeq ? ' (as its seq)' : ''}${only(event.collections)} -> ${answerText(event.answer)}${pageText(event.page)}`;
      return { when, who: `${logOf(event)} ${event.reader}`, what };
    }
    case 'stream':
      return { when, who: `${logOf(event)} ${event.reader}`, what: streamText(event) };
    case 'full': {
      const what = `full -> ${answerText(event.answer)}, next cursor ${event.lastSeq ?? 'none'}`;
      return { when, who: `${logOf(event)} ${event.reader}`, what };
    }
    case 'digest': {
      const what = `digest -> ${answerText(event.answer)}, at ${event.lastSeq ?? 'no version'}`;
      return { when, who: `${logOf(event)} ${event.reader}`, what };
    }
    case 'access': {
      const what = `${event.level === 'none' ? 'takes away' : 'gives'} ${event.scope} -> ${answerText(event.answer)}`;
      return { when, who: `app, for ${event.tenant}`, what };
    }
    case 'stray':
      return { when, who: event.tenant, what: `was sent ${event.what}` };
    case 'app-write': {
      const what = `write ${event.marker} -> ${answerText(event.answer)}`;
      return { when, who: `${event.tenant} app`, what };
    }
    case 'probe':
      return { when, who: 'probe', what: `${event.probe}: ${event.detail} -> ${answerText(event.answer)}` };
    case 'leak':
      return { when, who: event.to, what: `received a secret of the other tenant: ${event.where}` };
  }
}

function rowsOf(event: HistoryEvent): string[] {
  if (event.kind === 'push') {
    return event.changes.map((change, index) => {
      const result = event.results?.[index] ?? null;
      return `${changeText(change)}${result === null ? '' : ` -> ${resultText(result)}`}`;
    });
  }
  if (event.kind === 'pull' && event.page !== null && 'changes' in event.page) {
    return event.page.changes.map(entryText);
  }
  return event.kind === 'full' ? (event.rows ?? []).map(rowText) : [];
}

function logOf({ tenant, scope }: { readonly tenant: string; readonly scope?: string }): string {
  return scope === undefined ? tenant : `${tenant} in ${scope},`;
}

function streamText({ what, connection }: StreamEvent): string {
  const socket = `socket ${connection}:`;
  switch (what.is) {
    case 'subscribed':
      return `${socket} subscribe ${cursor(what.since)}${only(what.collections)}`;
    case 'entry':
      return `${socket} ${entryText(what.entry)}`;
    case 'ping':
      return `${socket} ping, everything sent up to ${what.lastSeq ?? '-'}`;
    case 'resync':
      return `${socket} full_resync_required (${what.reason})`;
    case 'error':
      return `${socket} error ${what.code}`;
    case 'closed':
      return `${socket} closed ${what.code}`;
    default:
      return `${socket} ${what.is}`;
  }
}

function changeText(change: SentChange): string {
  const parts = [
    `${change.operation} ${change.collection} ${change.docId}`,
    change.marker === null ? '' : `"${change.marker}"`,
    change.mutation === null ? 'no mutation id' : `mutation ${change.mutation}`,
    change.parent === null ? '' : `parent ${change.parent}`,
    change.parentMutation === undefined ? '' : `on mutation ${change.parentMutation}`,
    patchText(change),
    change.group === undefined ? '' : `group ${change.group}`,
    change.hlc === null ? '' : `hlc ${change.hlc}`,
    change.flaw === null ? '' : `(wrong on purpose: ${change.flaw})`,
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function patchText({ patch }: SentChange): string {
  if (patch === undefined) return '';
  const { inc, add, remove, optional } = patch;
  const parts = [
    inc === 0 ? '' : `counts ${inc}`,
    add.length === 0 ? '' : `adds ${add.join()}`,
    remove.length === 0 ? '' : `removes ${remove.join()}`,
    optional === undefined ? '' : optional === null ? 'unsets' : `sets "${optional}"`,
  ];
  return parts.filter((part) => part !== '').join(' ');
}

function resultText(result: ChangeResult): string {
  const parts = [
    result.status,
    result.newVersion,
    result.code,
    result.serverVersion === null ? null : `against ${result.serverVersion}`,
    result.replayed ? 'replayed' : null,
  ];
  return parts.filter((part) => part !== null).join(' ');
}

function entryText(entry: Seen): string {
  const marker = entry.marker === null ? '' : ` "${entry.marker}"`;
  const { fields, mutation, client } = entry;
  const count = fields?.count == null ? '' : ` count ${fields.count}`;
  const list = fields?.list == null ? '' : ` list ${fields.list.join() || 'empty'}`;
  const by = mutation === undefined ? '' : ` by ${client ?? ''} ${mutation}`;
  return `${entry.version} seq ${entry.seq} ${entry.operation} ${entry.collection} ${entry.docId}${marker}${count}${list}${by}`;
}

function rowText(row: FullRow): string {
  const marker = row.marker === null ? '' : ` "${row.marker}"`;
  return `${row.version ?? 'no version'} ${row.collection} ${row.docId}${row.deleted ? ' deleted' : ''}${marker}`;
}

function pageText(page: Extract<HistoryEvent, { kind: 'pull' }>['page']): string {
  if (page === null) return '';
  if ('resync' in page) return ` full_resync_required (${page.resync})`;
  return `, next cursor ${page.lastSeq || '(the beginning)'} (seq ${page.seq})${page.hasMore ? ', more to come' : ', no more'}`;
}

function answerText(answer: Answer): string {
  if (answer === null) return 'no answer';
  return answer.code === null ? String(answer.status) : `${answer.status} ${answer.code}`;
}

function cursor(since: string | null): string {
  return since === null || since === '' ? 'from the beginning' : `from ${since}`;
}

function only(collections: readonly string[] | null): string {
  return collections === null ? '' : ` of ${collections.join(', ')}`;
}

const SPAN = 19;

function span(from: number, to: number): string {
  return `${seconds(from)}-${seconds(to)}`.padEnd(SPAN);
}

function seconds(millis: number): string {
  return `${(millis / 1000).toFixed(3)}s`;
}
