import { readFileSync } from 'node:fs';

/** A process, distinguished from a later one with the same number. */
export interface ProcessIdentity {
  pid: number;
  /** When it was started: boot and ticks since then on Linux; empty elsewhere, where the number must do. */
  started: string;
}

/** The identity of a process that is alive, or undefined. A zombie counts as dead: it holds nothing any more. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: alive, and another user's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  if (process.platform !== 'linux') return { pid, started: '' };
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    // The program's name is in brackets and may contain spaces; the fields after it are state, parent, …, start.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : { pid, started: `${boot}/${fields[19] ?? ''}` };
  } catch {
    // It ended between the two looks, or /proc is not readable: look again by number only.
    return undefined;
  }
}

/** Whether that very process, and not a later one with its number, is alive. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.started === identity.started;
}
