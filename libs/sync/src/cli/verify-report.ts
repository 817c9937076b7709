import type { DifferenceKind } from '../verify/difference';
import type { LogFault } from '../verify/log-run';
import type { VerifyReport } from '../verify/report';
import { printable, table } from './output';

const WORDS: Readonly<Record<DifferenceKind, string>> = {
  'other content': 'the document holds something else than what was recorded of it',
  'other version': 'the document has another version than its newest entry',
  'bad version': 'the version of the document is none',
  'wrong hash': '_sync_hash stands for another content than the document has',
  'no document': 'an entry tells of it, and there is no document',
  'no tombstone': 'the log tells of its delete, and there is no tombstone',
  'no entry': 'no entry tells of this version of the document',
  'not deleted': 'the log tells of its delete, and the document is not deleted',
  deleted: 'the document is deleted, and the log does not tell of it',
  'other scope': 'the log has it in this scope, and the document is in another one',
  'no scope': 'the log or its scope field has it in this scope, and the document is in none',
};

const FAULTS: Readonly<Record<LogFault, string>> = {
  'no head': 'it has entries, and no head',
  'bad head': 'its head has no usable version or floor',
  'not in order': 'entries are missing between floor and head, or stand in another order than their versions',
  'head behind': 'it has entries above its head',
};

/** The report for a person. */
export function told(report: VerifyReport, isRepair: boolean): string {
  const { scopes, documents, tombstones, differences, left, compared, more } = report;
  const rows = table(
    ['SCOPE', 'COLLECTION', 'DOCUMENTS', 'TOMBSTONES', 'ABOVE FLOOR', 'DIGEST', 'LOG DIGEST', 'DIFFERENCES'],
    compared.map((one) => [
      one.scope,
      one.collection,
      one.live,
      one.tombstones,
      one.documents.count,
      one.documents.hash,
      one.log.hash,
      one.differences,
    ]),
  );
  const rest = more > 0 ? `${more} more: --limit shows them, --scope shows one scope.\n` : '';
  const all = `${scopes} scopes, ${documents} documents, ${tombstones} tombstones`;
  const end =
    differences === 0
      ? `Collections and log agree: ${all}.`
      : isRepair
        ? `Recorded ${differences - left} of ${differences} differences in ${all}.`
        : `${differences} differences in ${all}. Nothing was written; --repair records them.`;
  return `${rows}${rest}\n${[...details(report), end].map(printable).join('\n')}\n`;
}

function details({ compared, logs, unscoped, adopting, unknown, reloads, reloaded }: VerifyReport): string[] {
  const few = (names: readonly string[]): string => names.slice(0, 10).join(', ');
  return [
    ...logs.map(({ scope, what }) => `${scope}: the log cannot be followed: ${FAULTS[what]}.`),
    ...compared.flatMap(({ scope, collection, examples, differences }) => [
      ...examples.map(
        ({ doc, what, document, log }) =>
          `${scope} ${collection} ${doc}: ${WORDS[what]} (document ${document ?? '-'}, log ${log ?? '-'}).`,
      ),
      ...(differences > examples.length
        ? [`${scope} ${collection}: ${differences - examples.length} more differences.`]
        : []),
    ]),
    ...adopting.map((name) => `An adoption of ${name} is not finished: run it again, then verify.`),
    ...unscoped.map(
      ({ collection, count, examples }) =>
        `${collection}: ${count} documents are in no scope, and no device has them (adopt takes them in). For example ${examples.join(', ')}.`,
    ),
    ...(unknown > 0
      ? [
          `${unknown} documents lie below the floor and have no _sync_hash: nobody can tell whether their content was recorded.`,
        ]
      : []),
    ...(reloads > 0
      ? [
          `Nobody can tell what else differs in ${reloads} scopes, because their log was trimmed or cannot be followed: their devices load again (${few(reloaded)}).`,
        ]
      : []),
  ];
}
