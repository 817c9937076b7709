import pc from 'picocolors';

/** Prints the tour. At a terminal it leaves time to read. */
export class Stage {
  private chapters = 0;

  constructor(private readonly pauseMs: number) {}

  async chapter(title: string): Promise<void> {
    this.chapters += 1;
    process.stdout.write(`\n${pc.bold(pc.cyan(`${String(this.chapters)}. ${title}`))}\n`);
    await this.pause();
  }

  /** Somebody does something. */
  async does(who: string, what: string): Promise<void> {
    process.stdout.write(`   ${pc.yellow(who.padEnd(6))} ${what}\n`);
    await this.pause();
  }

  /** Something worked as announced. */
  async works(what: string, detail?: unknown): Promise<void> {
    process.stdout.write(`   ${pc.green('✓')}      ${what}\n`);
    if (detail !== undefined) process.stdout.write(`          ${pc.dim(JSON.stringify(detail))}\n`);
    await this.pause();
  }

  private async pause(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.pauseMs));
  }
}
