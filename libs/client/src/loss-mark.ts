import type { Marks } from './storage.ts';

/**
 * Notes, apart from the database, whose it is and how much would be lost with it: browsers clear databases, and then nothing
 * in them can tell. While nothing would be lost there is no note.
 */
export class LossMark {
  private told: string | undefined;

  constructor(
    private readonly marks: Marks | undefined,
    private readonly name: string,
    /** `client_id`: another one, in the same place, is that of another database. */
    private readonly client: string,
  ) {}

  /** How many edits went with the database that was here before; told once. */
  takeLost(): number {
    const [client, count] = this.marks?.get(this.name)?.split(' ') ?? [];
    if (client === undefined || client === this.client) return 0;
    this.marks?.set(this.name, null);
    return Number(count) || 0;
  }

  note(unsent: number): void {
    const text = unsent === 0 ? '' : `${this.client} ${String(unsent)}`;
    if (text === this.told) return;
    this.told = text;
    this.marks?.set(this.name, text || null);
  }
}
