import { DEMO_VARIABLES } from './environment';
import { SYNC_VARIABLES } from './sync-variables';

/** What `node dist/apps/demo/src/main.js --help` prints: every variable, from the tables that check them. */
export function helpText(): string {
  const sync = Object.entries(SYNC_VARIABLES).map(
    ([name, { option, kind, about }]) => [name, `${about} · ${kind}, option ${option}`] as const,
  );
  const rows = [...Object.entries(DEMO_VARIABLES), ...sync];
  const width = Math.max(...rows.map(([name]) => name.length));
  return [
    'The demo shop of nest-offline-sync. Everything is set by the environment, or by a file .env in the project:',
    '',
    ...rows.map(([name, about]) => `  ${name.padEnd(width)}  ${about}`),
    '',
  ].join('\n');
}
