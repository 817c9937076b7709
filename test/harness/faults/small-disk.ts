import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** What a member needs for its journal and a run's data, and not much more. In memory. */
const SIZE = '512m';
const PIECE = Buffer.alloc(1 << 20);

/** A separate in-memory file system of a fixed size, which can be filled without harming anything else. */
export class SmallDisk {
  private constructor(readonly folder: string) {}

  /** Undefined where mounting is not permitted (it takes root). */
  static mount(folder: string): SmallDisk | undefined {
    mkdirSync(folder, { recursive: true });
    const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', folder]);
    return status === 0 ? new SmallDisk(folder) : undefined;
  }

  /** Takes the last byte. */
  async fill(): Promise<void> {
    const file = await open(this.filler, 'a');
    try {
      for (let size = PIECE.length; size > 0;) {
        try {
          await file.write(PIECE, 0, size);
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          size >>= 1;
        }
      }
    } finally {
      await file.close();
    }
  }

  empty(): void {
    rmSync(this.filler, { force: true });
  }

  unmount(): void {
    const { status } = spawnSync('umount', [this.folder]);
    // Another process has it open at the moment: it goes away when that is done.
    if (status !== 0) spawnSync('umount', ['-l', this.folder]);
  }

  private get filler(): string {
    return join(this.folder, 'filler');
  }
}
