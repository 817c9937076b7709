import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** What Linux says of a process: resident memory in bytes. */
export function residentBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1];
  if (kilobytes === undefined) throw new Error('/proc does not say how much memory the process has');
  return Number(kilobytes) * 1024;
}

/** Seconds of CPU time that a process has had, its kernel time included. The kernel counts in hundredths. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Resident memory after all garbage was collected; the kernel gets its pages back a moment later. */
export async function residentAtRest(pid: number): Promise<number> {
  for (let time = 0; time < 2; time += 1) {
    process.kill(pid, 'SIGUSR2');
    await delay(300);
  }
  return residentBytes(pid);
}

/** The most memory that a process had while something ran. */
export async function mostResident(pid: number, run: () => Promise<unknown>): Promise<number> {
  let most = residentBytes(pid);
  const timer = setInterval(() => {
    most = Math.max(most, residentBytes(pid));
  }, 50);
  try {
    await run();
  } finally {
    clearInterval(timer);
  }
  return Math.max(most, residentBytes(pid));
}
