import { Logger } from '@nestjs/common';
import pc from 'picocolors';
import { isProduction, type Environment } from '../config/environment';
import { signingSecret, usesDevelopmentSecret } from '../config/signing-secret';
import { syncPrefix } from '../config/sync-options';
import type { Servers } from './servers';

/**
 * Prints that the demo is ready, where everything is, and what to try first.
 *
 * @param database where it is, for people
 */
export async function announce(
  environment: Environment,
  { port, pids }: Servers,
  database: string,
): Promise<void> {
  const url = `http://localhost:${String(port)}`;
  if (usesDevelopmentSecret(environment))
    new Logger('Demo').warn(
      'JWT_SECRET is not set: tokens are signed with a secret that everyone knows, so anyone can act as anyone here. ' +
        'With NODE_ENV=production the demo does not start without one.',
    );
  if (environment.LOG_JSON) {
    new Logger('Demo').log({ state: 'ready', url, database, pids });
    return;
  }
  const rows: [string, string][] = [
    ['app', `${url}/app/`],
    ['docs', `${url}/docs`],
    ['admin', `${url}/admin/`],
    ['metrics', `${url}/metrics`],
    ['health', `${url}/health`],
    ['database', database],
    ['processes', `${String(pids.length)} (pid ${pids.join(', ')})`],
    ['tour', `npm run demo:tour${port === 3000 ? '' : ` -- ${url}`}`],
  ];
  const lines = [
    `${pc.green('●')} ${pc.bold('The demo is ready:')} ${pc.cyan(pc.underline(url))}`,
    ...rows.map(([name, value]) => `  ${pc.dim(name.padEnd(9))} ${value}`),
    ...(await trial(environment, url)),
  ];
  process.stdout.write(`\n${lines.join('\n')}\n\n`);
}

/** Two commands to paste; in production no route gives away tokens. */
async function trial(environment: Environment, url: string): Promise<string[]> {
  if (isProduction(environment) || signingSecret(environment) === undefined) return [];
  const answer = await fetch(`${url}/auth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: 'alice', business_id: 'corner-cafe' }),
  });
  const { token } = (await answer.json()) as { token: string };
  const change = {
    collection: 'tasks',
    operation: 'upsert',
    doc_id: 'task-abc-123',
    data: { title: 'Acquire inventory', done: false },
    parent_version: null,
  };
  const routes = `${url}/${syncPrefix(environment)}`;
  return [
    '',
    pc.dim('  Paste these, as alice of the corner café:'),
    `TOKEN=${token}`,
    `curl -H "Authorization: Bearer $TOKEN" '${routes}/pull?collections=tasks'`,
    `curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' ${routes}/push -d '${JSON.stringify({ client_id: 'device-1', changes: [change] })}'`,
  ];
}
