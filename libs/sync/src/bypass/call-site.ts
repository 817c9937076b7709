import { findSourceMap } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Entry } from '../database/driver-calls';

/** The stack at one moment, not read yet: cheap to take. */
export interface Trace {
  stack?: unknown;
}

/** A place in the app's own code. */
export interface CallSite {
  /** The same for the same place. */
  readonly key: string;
  /** File and line as the app's tools show them, from the working directory on. */
  describe(): string;
}

/** An await leaves a frame too: between a service and the driver are those of Mongoose. */
const FRAMES = 50;
/** Undefined where a bundler has put everything into one file. */
const OWN = basename(__dirname) === 'bypass' ? join(dirname(__dirname), '/') : undefined;

/** @param below only frames from this function's on are kept, its own excepted */
export function traceBelow(below: Entry): Trace {
  const { stackTraceLimit } = Error;
  const trace: Trace = {};
  Error.stackTraceLimit = FRAMES;
  Error.captureStackTrace(trace, below);
  Error.stackTraceLimit = stackTraceLimit;
  return trace;
}

/**
 * Where the app's own code was: the innermost frame that is neither Node's, a package's nor ours, across awaits.
 *
 * @returns undefined where the app's code is not on the stack, as after a `then` that nobody awaits
 */
export function callSite(trace: Trace): CallSite | undefined {
  if (!SITES.has(trace)) SITES.set(trace, siteOf(trace));
  return SITES.get(trace);
}

/** A stack can be read once, and one call of the app's may be several of the driver. */
const SITES = new WeakMap<Trace, CallSite | undefined>();

function siteOf(trace: Trace): CallSite | undefined {
  const { frames, lines } = read(trace);
  const at = frames.findIndex((one) => isApps(one.getFileName()));
  const frame = frames[at];
  if (!frame) return undefined;
  const [file, line, column] = [frame.getFileName() ?? '', frame.getLineNumber(), frame.getColumnNumber()];
  return {
    key: `${file}:${String(line)}:${String(column)}`,
    describe: () => mapped(frame) ?? shown(lines()[at]) ?? place(file, line),
  };
}

/** V8 asks once for the text of a stack, and gives the frames then. Who knows of source maps may have put a hook of his there. */
function read(trace: Trace): { frames: readonly NodeJS.CallSite[]; lines: () => readonly string[] } {
  const before = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  const tools = before?.value as typeof Error.prepareStackTrace;
  let frames: NodeJS.CallSite[] = [];
  const take = (_: Error, sites: NodeJS.CallSite[]): void => {
    frames = sites;
  };
  Object.defineProperty(Error, 'prepareStackTrace', { value: take, configurable: true, writable: true });
  Reflect.get(trace, 'stack');
  if (before) Object.defineProperty(Error, 'prepareStackTrace', before);
  else Reflect.deleteProperty(Error, 'prepareStackTrace');
  const text = (): string => String(tools?.(new Error(), frames));
  return {
    frames,
    lines: () =>
      text()
        .split('\n')
        .filter((line) => /^\s+at /.test(line)),
  };
}

/** By Node itself, started with --enable-source-maps. */
function mapped(frame: NodeJS.CallSite): string | undefined {
  const map = findSourceMap(pathOf(frame.getFileName() ?? ''));
  const entry = map?.findEntry((frame.getLineNumber() ?? 1) - 1, (frame.getColumnNumber() ?? 1) - 1);
  return entry && 'originalSource' in entry ? place(entry.originalSource, entry.originalLine + 1) : undefined;
}

const LOCATION = /(?:\(|at (?:async )?)([^()]+):(\d+):\d+\)?$/;

function shown(line = ''): string | undefined {
  const [, file, number] = LOCATION.exec(line) ?? [];
  return file === undefined ? undefined : place(file, Number(number));
}

function place(file: string, line: number | null): string {
  return `${relative(process.cwd(), pathOf(file))}:${String(line)}`;
}

function isApps(file: string | null | undefined): boolean {
  if (!file || file.startsWith('node:') || !/[/\\]/.test(file)) return false;
  if (/[/\\]node_modules[/\\]/.test(file)) return false;
  return OWN === undefined || !pathOf(file).startsWith(OWN);
}

function pathOf(file: string): string {
  return file.startsWith('file:') ? fileURLToPath(file) : file;
}
