import { DEMO_VARIABLES } from './environment';
import { DEMO_DEFAULTS } from './sync-options';
import { SYNC_VARIABLES, type SyncVariable } from './sync-variables';

/** What `node dist/apps/demo/src/main.js --help` prints: every variable, from the tables that check them. */
export function helpText(): string {
  const sync = SYNC_VARIABLES.map((variable) => [variable.name, lineOf(variable)] as const);
  const rows = [...Object.entries(DEMO_VARIABLES), ...sync];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    'The demo shop of nest-offline-sync. Everything is set by the environment, or by a file .env in the project:',
    '',
    ...rows.map(([name, about]) => `  ${name.padEnd(width)}  ${about}`),
    '',
  ].join('\n');
}

function lineOf({ option, kind, row }: SyncVariable): string {
  const otherwise = { ...DEMO_DEFAULTS }[option as string] ?? row.default ?? row.shown;
  const words = otherwise === undefined ? row.about : `${row.about} (${String(otherwise)})`;
  return `${words.replaceAll('`', '')} · ${kind}, option ${option}`;
}
