import type { Marks } from './storage.ts';

/**
 * Notes, apart from the databases, how much would be lost with one: browsers clear them, and then nothing in them can tell. While
 * nothing would be lost there is no note. Browsers write it to the disk later than databases, so after a crash it may be some seconds
 * old, and of a database that has been logged out since: only with all databases gone it counts.
 */
export class LossMark {
  private told: string | undefined;

  constructor(
    private readonly marks: Marks | undefined,
    private readonly name: string,
    /** The registry's: another one in the same place comes after all databases have been cleared. */
    private readonly registry: string,
  ) {}

  /** How many edits went with the database that was here before; told once. */
  takeLost(): number {
    const [registry, count] = this.marks?.get(this.name)?.split(' ') ?? [];
    if (registry === undefined || registry === this.registry) return 0;
    this.marks?.set(this.name, null);
    return Number(count) || 0;
  }

  note(unsent: number): void {
    const text = unsent === 0 ? '' : `${this.registry} ${String(unsent)}`;
    if (text === this.told) return;
    this.told = text;
    this.marks?.set(this.name, text || null);
  }
}
