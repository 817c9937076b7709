import { Agent, request } from 'node:http';
import { testDatabase } from '../../support/database';
import { startHttpApp } from '../../support/http-app';

describe('a process that stops', () => {
  it('lets go of a client that never lets its connection rest', async () => {
    const app = await startHttpApp(testDatabase(__filename).uri);
    const { token } = app.as('busy');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let answers = 0;
    let closing = false;
    const pull = (): Promise<number> =>
      new Promise((resolve, reject) => {
        request(
          `${app.url}/sync/pull`,
          { agent, headers: { authorization: `Bearer ${token}` } },
          (response) => {
            response.resume().once('end', () => resolve(response.statusCode ?? 0));
          },
        )
          .once('error', reject)
          .end();
      });
    // Until nobody takes the connection any more.
    const polling = (async () => {
      for (;;) {
        const status = await pull().catch(() => undefined);
        if (status === undefined && closing) return;
        answers += 1;
      }
    })();
    while (answers < 20) await pull();

    closing = true;
    await app.close();
    await polling;
    agent.destroy();
    // Without being told to go, the client would ask on this connection for ever.
  }, 40_000);
});
