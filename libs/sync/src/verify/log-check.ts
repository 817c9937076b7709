import type { OplogRepository } from '../log/oplog';
import { LogRun, type LogFault } from './log-run';
import { Moment } from './moment';

const PAGE = 20_000;

/** What is wrong with a scope's log itself, if anything is. A page of its entries is held at a time. */
export async function logFault(oplog: OplogRepository, scope: string): Promise<LogFault | undefined> {
  const run = new LogRun();
  for (;;) {
    const moment = new Moment(oplog, scope);
    try {
      const head = await moment.head();
      const page = await moment.steps(run.after(head), PAGE);
      const isEnd = page.length < PAGE;
      const fault = run.take(head, page, isEnd);
      if (fault !== undefined || isEnd) return fault;
    } finally {
      await moment.close();
    }
  }
}
