import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ServiceOrders } from './service';
import type { Ledger } from './service-writes';

/** A service of the team, seen from outside. */
export class ServiceProcess {
  private constructor(private readonly child: ChildProcess) {}

  static async start(orders: ServiceOrders): Promise<ServiceProcess> {
    const child = fork(join(__dirname, 'service.ts'), [JSON.stringify(orders)], {
      execArgv: ['-r', join(__dirname, '../../support/ts-hook.cjs')],
    });
    const service = new ServiceProcess(child);
    await service.hears('ready');
    return service;
  }

  /** Documents that it has written so far. */
  async writes(): Promise<number> {
    this.child.send('count');
    return ((await this.hears('writes')) as { writes: number }).writes;
  }

  /** Ends its last write, and it. */
  async stop(): Promise<Ledger> {
    this.child.send('stop');
    return ((await this.hears('ledger')) as { ledger: Ledger }).ledger;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  private async hears(what: string): Promise<unknown> {
    const gone = once(this.child, 'exit').then(() => {
      throw new Error('A service has ended by itself');
    });
    gone.catch(() => undefined);
    for (;;) {
      const [message] = (await Promise.race([once(this.child, 'message'), gone])) as unknown[];
      if (message === what || (typeof message === 'object' && message !== null && what in message))
        return message;
    }
  }
}
