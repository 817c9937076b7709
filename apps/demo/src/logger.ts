import { ConsoleLogger } from '@nestjs/common';
import type { Environment } from './config/environment';

/** How Nest wires the app, a line for each module and route: a newcomer looks for other lines. */
const WIRING = ['InstanceLoader', 'RoutesResolver', 'RouterExplorer'];
/** Errors of the start, with their stack: main.ts says them in a line, with the remedy. */
const START = ['ExceptionHandler', 'NestApplication', 'MongooseModule'];

class DemoLogger extends ConsoleLogger {
  override log(message: unknown, ...rest: unknown[]): void {
    if (!WIRING.includes(String(rest.at(-1)))) super.log(message, ...rest);
  }

  override error(message: unknown, ...rest: unknown[]): void {
    if (!START.includes(String(rest.at(-1)))) super.error(message, ...rest);
  }
}

/** Lines for people, or with LOG_JSON an object a line. */
export function makeLogger({ LOG_JSON, LOG_LEVEL }: Environment): ConsoleLogger {
  return new DemoLogger({ json: LOG_JSON, logLevels: [LOG_LEVEL] });
}
