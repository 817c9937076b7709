/**
 * `node -r test/harness/faults/shifted-clock.cjs …`: a process whose wall clock is wrong. CLOCK_FILE names a file with the
 * milliseconds that it is ahead; it is read at the start and at each SIGUSR2. The monotonic clock stays as it is.
 */
const { readFileSync } = require('node:fs');

const RealDate = Date;
let ahead = 0;

function read() {
  try {
    ahead = Number(readFileSync(process.env.CLOCK_FILE, 'utf8')) || 0;
  } catch {
    ahead = 0;
  }
}

globalThis.Date = new Proxy(RealDate, {
  // Called without `new` it gives the time as text.
  apply: () => new RealDate(RealDate.now() + ahead).toString(),
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length === 0 ? [target.now() + ahead] : args, newTarget),
  get: (target, key, receiver) =>
    key === 'now' ? () => target.now() + ahead : Reflect.get(target, key, receiver),
});

process.on('SIGUSR2', read);
read();
